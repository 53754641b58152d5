"""RDED's judge: its rules by dataset and student, beside the table of argument.py."""

import dataclasses

import pytest
import torch

from ddbench.evaluators.networks import BatchNormResNet18, ConvNet
from ddbench.evaluators.rded import SAME, rded_1
from ddbench.evaluators.students import BatchNormConvNet, Torchvision
from ddbench.learning.teacher import TeacherFile
from ddbench.learning.zoo import timm_models, torchvision_classifiers
from ddbench.plugins import registry
from ddbench.types import DataFacts, ImageView

SIDES = {"cifar10": (32, 10), "cifar100": (32, 100), "tinyimagenet": (64, 200), "imagenet-nette": (256, 10)}
SIDES |= {"imagenet-100": (256, 100), "imagenet-1k": (256, 1000), "imagenet-10": (256, 10)}
OURS = {"imagenet-nette": "imagenette", "imagenet-100": "imagenet100", "imagenet-1k": "imagenet1k"}
OURS |= {"imagenet-10": "imageidc"}
"""RDED's name of a dataset -> ours"""
BESIDE_CONVNET3 = dataclasses.replace(rded_1.teacher, network="convnet3-bn")


def recipe(dataset, student, **changes):
    side, classes = SIDES[dataset]
    network = registry.load("arch", student)
    shape = (3, side, side)
    return dataclasses.replace(rded_1, **changes).recipe_for(shape, classes, network, OURS.get(dataset, dataset))


@pytest.mark.parametrize(
    ("dataset", "batches"),
    [
        ("cifar10", (10, 50, 100)),
        ("cifar100", (20, 100, 200)),
        ("tinyimagenet", (100, 100, 100)),
        ("imagenet-nette", (10, 50, 100)),
        ("imagenet-100", (20, 100, 200)),
        ("imagenet-1k", (20, 100, 200)),
    ],
)
def test_batches_follow_the_images_per_class_and_the_classes(dataset, batches):
    found = recipe(dataset, "resnet18-bn")
    assert tuple(found.batch_size(ipc) for ipc in (1, 10, 50)) == batches


@pytest.mark.parametrize(
    ("student", "rate"),
    [
        ("convnet3-bn", 1e-3),
        ("convnet4-bn", 1e-3),
        ("convnet5-bn", 1e-3),
        ("convnet6-bn", 1e-3),
        ("resnet18-bn", 1e-3),
        ("resnet18-modified", 1e-3),
        ("resnet50-bn", 1e-3),
        ("resnet101-bn", 1e-3),
        ("efficientnet-b0", 2e-3),
        ("mobilenet-v2", 2.5e-3),
        ("vit-b-16", 1e-4),
        ("swin-v2-t", 1e-4),
        ("timm:resnet50", 1e-3),
        ("timm:efficientnet_b0", 2e-3),
        ("timm:mobilenetv2_100", 2.5e-3),
        ("timm:vit_base_patch16_224", 1e-4),
        ("timm:swinv2_tiny_window8_256", 1e-4),
        ("timm:vgg11", 5e-4),
    ],
)
def test_learning_rates_follow_the_student(student, rate):
    assert recipe("imagenet-nette", student).lr == rate
    assert (rded_1.optimiser, rded_1.weight_decay, rded_1.temperature) == ("adamw", 0.01, 20)


def test_a_convnet3_on_cifar100_has_a_rule_of_its_own():
    for teacher in (BESIDE_CONVNET3, TeacherFile(arch="convnet3-bn")):
        found = recipe("cifar100", "convnet3-bn", teacher=teacher)
        assert (found.lr, found.batch_size(1), found.batch_size(50)) == (2e-3, 25, 25)
        for dataset, student in (("cifar10", "convnet3-bn"), ("cifar100", "convnet4-bn")):
            assert recipe(dataset, student, teacher=teacher).lr == 1e-3
    found = recipe("cifar100", "convnet3-bn")
    assert (found.lr, found.batch_size(1), found.batch_size(50)) == (1e-3, 20, 200)


def test_names_of_timm_that_stand_for_models_of_torchvision_are_models_of_both():
    assert SAME.keys() <= timm_models()
    assert {*SAME.values()} <= torchvision_classifiers()


@pytest.mark.parametrize("dataset", ["imagenet-nette", "imagenet-10", "imagenet-1k"])
def test_beside_a_deep_convnet_images_are_smaller_on_the_datasets_of_the_source_alone(dataset):
    beside = dataclasses.replace(rded_1.teacher, network="convnet5-bn")
    side = 128 if dataset == "imagenet-nette" else 224
    assert recipe(dataset, "resnet18-bn", teacher=beside).side == side
    assert recipe(dataset, "convnet5-bn").side == side


@pytest.mark.parametrize(
    ("dataset", "student", "side", "shorter", "factor"),
    [
        ("cifar10", "convnet3-bn", 32, 32, 1),
        ("cifar100", "resnet18-modified", 32, 32, 1),
        ("tinyimagenet", "convnet4-bn", 64, 72, 1),
        ("imagenet-nette", "convnet5-bn", 128, 144, 2),
        ("imagenet-100", "convnet6-bn", 128, 144, 2),
        ("imagenet-nette", "resnet18-bn", 224, 256, 2),
        ("imagenet-1k", "vit-b-16", 224, 256, 2),
        ("imagenet-1k", "convnet6-bn", 224, 256, 2),
        ("imagenet-10", "convnet5-bn", 224, 256, 2),
    ],
)
def test_sides_test_images_and_factor_follow_the_images_and_the_student(dataset, student, side, shorter, factor):
    stored, classes = SIDES[dataset]
    facts = DataFacts(OURS.get(dataset, dataset), tuple(map(str, range(classes))), (3, stored, stored))
    found = recipe(dataset, student)
    assert rded_1.view_of(facts, registry.load("arch", student)) == ImageView(shorter, side)
    assert rded_1.network_shape(facts, registry.load("arch", student)) == (3, side, side)
    assert (found.augmentation.shuffle, found.augmentation.crop, found.augmentation.flip) == (
        factor,
        (1 / factor, 1.0),
        0.5,
    )


def test_what_is_set_is_what_it_is():
    found = recipe("imagenet-nette", "resnet18-bn", side=96, factor=1, test_resize=96)
    assert (found.side, found.test_resize, found.augmentation.shuffle) == (96, 96, 1)
    assert recipe("cifar10", "mobilenet-v2", lr_by_student=(("mobilenet_v2", 0.5),)).lr == 0.5


def test_convnets_with_batch_norm_have_the_parameters_of_their_definition():
    module = BatchNormConvNet(depth=3, width=128)((3, 32, 32), 10)
    assert sum(p.numel() for p in module.parameters()) == sum(
        p.numel() for p in ConvNet(depth=3)((3, 32, 32), 10).parameters()
    )
    assert sum(isinstance(m, torch.nn.BatchNorm2d) for m in module.modules()) == 3
    with pytest.raises(ValueError, match="depth 6 needs images of 64 px"):
        BatchNormConvNet(depth=6)((3, 32, 32), 10)


def test_the_modified_resnet_keeps_the_size_of_small_images():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = Torchvision("resnet18", small_stem=True)((3, 32, 32), 10).eval()
    x = torch.rand(2, 3, 32, 32)
    assert module.net.relu(module.net.bn1(module.net.conv1(x))).shape == (2, 64, 32, 32)
    assert isinstance(module.net.maxpool, torch.nn.Identity)
    with torch.no_grad():
        torch.testing.assert_close(module.net.fc(module.features(x)), module(x))


def test_a_vit_is_built_for_the_size_of_the_images_and_refuses_what_is_no_multiple_of_its_patches():
    facts = DataFacts("d", ("a", "b"), (1, 32, 32))
    assert "needs RGB" in Torchvision("vit_b_16").problems(facts)[0]
    with pytest.raises(ValueError, match="cannot take images of 20 x 20 px"):
        Torchvision("vit_b_16")((3, 20, 20), 2)


def test_a_student_that_is_no_model_is_named_with_the_nearest():
    with pytest.raises(ValueError, match="nearest: resnet18"):
        Torchvision("resnet181")
    with pytest.raises(ValueError, match="small_stem is for ResNets"):
        Torchvision("alexnet", small_stem=True)


def test_one_step_at_64_pixels_judges_with_the_curve_of_the_source():
    """Points of the curve: every tenth epoch after 0.8 of them, and the last."""
    assert sorted(rded_1.judged_after(300)) == [250, 260, 270, 280, 290, 300]
    assert BatchNormResNet18()  # its rate is that of the recipe: it is no Torchvision
