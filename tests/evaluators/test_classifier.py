"""Networks, augmentation and the training loop that judges a distilled set."""

import dataclasses

import pytest
import torch
from torch import nn

from ddbench.evaluators.augment import enlarge, random_shift
from ddbench.evaluators.networks import BatchNormResNet18, ConvNet, ResNet18, ResNetAP10, convnet3_w32
from ddbench.evaluators.protocols import HardLabels
from ddbench.plugins import registry
from ddbench.types import LabeledImages, Network, StageContext

QUICK = HardLabels(epochs_by_ipc=((100, 6),), evaluations=3)


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def test_convnet_has_the_parameters_and_head_of_its_definition():
    net = ConvNet(depth=3, width=128)((3, 32, 32), 10)
    convolutions = (3 * 128 * 9 + 128) + 2 * (128 * 128 * 9 + 128)
    assert parameters(net) == convolutions + 3 * 2 * 128 + (2048 * 10 + 10)
    assert net.features(torch.zeros(2, 3, 32, 32)).shape == (2, 2048)


def test_resnet18_has_the_parameters_of_torchvisions():
    from torchvision.models import resnet18

    assert parameters(ResNet18()((3, 224, 224), 1000)) == parameters(resnet18()) == 11_689_512


@pytest.mark.parametrize(("side", "features"), [(224, 1152), (256, 2048)])
def test_convnet6_has_the_head_of_the_field(side, features):
    net = ConvNet(depth=6)((3, side, side), 10)
    assert net.head.in_features == features
    assert net.features(torch.zeros(1, 3, side, side)).shape == (1, features)


def test_resnetap10_has_the_stem_stages_and_head_of_its_definition():
    net = ResNetAP10()((3, 224, 224), 10)
    with torch.no_grad():
        x = net.stem(torch.zeros(1, 3, 224, 224))
        shapes = [tuple(x.shape[1:])]
        for block in list(net.body)[:4]:
            x = block(x)
            shapes.append(tuple(x.shape[1:]))
    assert shapes == [(64, 56, 56), (64, 56, 56), (128, 28, 28), (256, 14, 14), (512, 7, 7)]
    assert net.head.in_features == 512
    convolutions = 3 * 64 * 49 + sum(9 * n * (m + n) for m, n in ((64, 64), (64, 128), (128, 256), (256, 512)))
    shortcuts = 64 * 128 + 128 * 256 + 256 * 512
    norms = 2 * (64 + 2 * (64 + 128 + 256 + 512) + (128 + 256 + 512))
    assert parameters(net) == convolutions + shortcuts + norms + (512 * 10 + 10)
    assert all(module.stride == (1, 1) for module in net.modules() if isinstance(module, nn.Conv2d))


def test_a_pooled_block_pools_the_shortcut_too():
    """A constant image stays constant inside: with the residual off, a pooled block is a 1x1 convolution and norm."""
    block = list(ResNetAP10()((3, 64, 64), 10).body)[1]
    nn.init.zeros_(block.residual[-1].weight)
    x = torch.randn(2, 64, 8, 8)
    conv, norm = block.shortcut[0], block.shortcut[-1]
    pooled = nn.functional.avg_pool2d(x, 2)
    torch.testing.assert_close(block(x), torch.relu(norm(conv(pooled))), rtol=1e-3, atol=1e-4)


def test_batch_norm_resnet18_is_torchvisions():
    from torchvision.models import resnet18

    reference = resnet18(num_classes=7).eval()
    net = BatchNormResNet18()((3, 64, 64), 7).eval()
    net.load_state_dict(dict(zip(net.state_dict(), reference.state_dict().values(), strict=True)))
    x = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(net(x), reference(x))
    with pytest.raises(ValueError, match="RGB images, not 1 channel"):
        BatchNormResNet18()((1, 64, 64), 7)


@pytest.mark.parametrize("network", [ResNet18(), ResNetAP10()])
def test_instance_norm_does_not_mix_images(network):
    net = network((1, 16, 16), 10).train()
    x = torch.randn(4, 1, 16, 16)
    torch.testing.assert_close(net(x)[:1], net(x[:1]), rtol=1e-4, atol=1e-5)


def test_images_too_small_for_a_convnet_are_refused():
    with pytest.raises(ValueError, match="64 px or more, not 32"):
        ConvNet(depth=6)((3, 32, 32), 10)


NAMES = [name for name in registry.entries("arch") if isinstance(registry.load("arch", name), Network)]
"""of single networks; collections of them, such as timm, are registered as classes"""


@pytest.mark.parametrize("name", NAMES)
def test_every_arch_gives_logits_features_and_gradients(name):
    network = registry.load("arch", name)((3, 64, 64), 7)
    logits = network(torch.randn(2, 3, 64, 64))
    logits.square().sum().backward()
    assert logits.shape == (2, 7)
    assert network.features(torch.randn(2, 3, 64, 64)).ndim == 2
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_enlarging_reaches_the_side_and_leaves_larger_images_alone():
    assert enlarge(torch.zeros(2, 1, 8, 8), 16).shape == (2, 1, 16, 16)
    x = torch.rand(2, 1, 20, 20)
    assert enlarge(x, 16) is x


def test_a_shift_moves_each_image_by_its_own_whole_pixels():
    ramp = torch.arange(16.0).expand(64, 1, 16, 16)
    moved = random_shift(ramp, 2 / 16, torch.Generator().manual_seed(0))
    steps = (moved[:, 0, 8, 8] - 8).tolist()
    assert set(steps) == {-2.0, -1.0, 0.0, 1.0, 2.0}
    assert moved.min() == 0
    assert moved.max() == 15  # borders are repeated, nothing is invented


def test_no_shift_is_the_identity():
    x = torch.rand(3, 2, 8, 8)
    assert torch.equal(random_shift(x, 0.0, torch.Generator()), x)


@pytest.fixture(scope="module")
def separable():
    """Two classes that differ in brightness: (train, test)."""
    random = torch.Generator().manual_seed(0)

    def images(n):
        labels = torch.arange(2).repeat_interleave(n)
        base = torch.where(labels == 0, 60, 180).view(-1, 1, 1, 1)
        pixels = base + torch.randint(-40, 40, (2 * n, 1, 8, 8), generator=random)
        return LabeledImages(images=pixels.to(torch.uint8), labels=labels, classes=("dark", "light"))

    return images(20), images(50)


def judge(train, test, seed=0, protocol=QUICK):
    return protocol.evaluate(train, test, convnet3_w32, StageContext(seed=seed))


def test_what_can_be_told_apart_is_learnt(separable):
    evaluation = judge(*separable)
    assert evaluation.curve[-1][1] > 0.95
    assert [epoch for epoch, _ in evaluation.curve] == [2, 4, 6]
    assert evaluation.curve[-1][1] == pytest.approx(sum(evaluation.correct) / 100)


def test_random_labels_are_not(separable):
    train, test = separable
    shuffled = torch.randint(0, 2, (100,), generator=torch.Generator().manual_seed(0))
    noise = LabeledImages(images=test.images, labels=shuffled, classes=test.classes)
    assert abs(judge(train, noise).curve[-1][1] - 0.5) < 0.15


def test_same_set_and_seed_same_curve_another_seed_another(separable):
    train, test = separable
    hard = dataclasses.replace(QUICK, epochs_by_ipc=((100, 1),), evaluations=1, lr=1e-4)
    before = torch.get_rng_state()
    assert judge(train, test, 0, hard) == judge(train, test, 0, hard)
    assert torch.equal(before, torch.get_rng_state())
    assert len({judge(train, test, seed, hard).correct for seed in range(4)}) > 1


def test_the_order_of_the_classes_does_not_matter(separable):
    train, test = separable
    turned = LabeledImages(images=train.images.flip(0), labels=1 - train.labels.flip(0), classes=("light", "dark"))
    in_class_order = LabeledImages(  # the same images of each class in the same order, classes named in reverse
        images=torch.cat([train.of_class(1), train.of_class(0)]), labels=train.labels, classes=("light", "dark")
    )
    assert judge(in_class_order, test) == judge(train, test)
    assert judge(turned, test).curve[-1][1] > 0.95


def test_sets_of_other_classes_are_refused(separable):
    train, test = separable
    other = LabeledImages(images=test.images, labels=test.labels, classes=("dark", "green"))
    with pytest.raises(ValueError, match="same classes: 'green'"):
        judge(train, other)


def test_epochs_follow_the_images_per_class():
    protocol = HardLabels(epochs_by_ipc=((1, 9), (10, 5)))
    assert [protocol.epochs(ipc) for ipc in (1, 2, 10, 50)] == [9, 5, 5, 5]
