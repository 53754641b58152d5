"""The protocols of the field: what their fields mean, and the loop that follows them."""

import dataclasses
import hashlib

import pytest
import torch
import torch.nn.functional as F

from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.errors import BenchError
from ddbench.evaluators.classifier import learning_rate, make_optimiser
from ddbench.evaluators.losses import Distillation, Target, cross_entropy
from ddbench.evaluators.networks import BatchNormResNet18, ConvNet
from ddbench.evaluators.protocols import (
    HardLabels,
    SoftLabels,
    cpu_small_1,
    igd_adamw_1,
    igd_adamw_soft_2,
    minimax_sgd_1,
    minimax_sgd_2,
    rded_1k_1,
    rded_1k_2,
)
from ddbench.evaluators.recipe import Augmentation, ManyClasses
from ddbench.evaluators.views import make_view
from ddbench.learning.checkpoint import open_teacher
from ddbench.plugins import registry
from ddbench.types import ImageView, LabeledImages, StageContext


def test_epochs_batches_and_evaluations_follow_the_images_per_class():
    assert [minimax_sgd_1.epochs(n) for n in (1, 2, 10, 20, 50, 51, 200, 500, 501, 1300)] == [
        *(3000, 2000, 2000, 1500, 1500, 1000, 1000, 500, 300, 300)
    ]
    assert [rded_1k_1.batch_size(n) for n in (1, 10, 50, 100)] == [100, 100, 200, 200]
    assert sorted(minimax_sgd_1.judged_after(2000)) == list(range(20, 2001, 20))
    assert sorted(rded_1k_1.judged_after(300)) == [250, 260, 270, 280, 290, 300]


def test_more_than_a_hundred_classes_switch_and_exactly_a_hundred_do_not():
    assert minimax_sgd_1.for_classes(100) is minimax_sgd_1
    many = minimax_sgd_1.for_classes(101)
    assert (many.lr, many.weight_decay, many.batch) == (0.1, 1e-4, 128)
    assert dataclasses.replace(many, lr=0.01, weight_decay=5e-4, batch=64) == minimax_sgd_1
    assert dataclasses.replace(igd_adamw_1.for_classes(1000), batch=64) == igd_adamw_1
    wide = dataclasses.replace(minimax_sgd_1, batch=256, many_classes=ManyClasses(10, 0.1, 0.0, 128))
    assert wide.for_classes(11).batch == 256


def test_epochs_are_two_thirds_at_exactly_a_hundred_classes():
    """IPC 1: 2000, 10: 1300, 50: 1000, 100: 600, 500: 300, above: 200."""
    ipcs = (1, 10, 50, 100, 500, 1300)
    assert [minimax_sgd_2.for_classes(100).epochs(n) for n in ipcs] == [2000, 1300, 1000, 600, 300, 200]
    for classes in (10, 99, 101, 1000):
        assert minimax_sgd_2.for_classes(classes).epochs(10) == 2000
    assert minimax_sgd_1.for_classes(100).epochs(10) == 2000
    assert sorted(minimax_sgd_2.judged_after(1300)) == list(range(13, 1301, 13))
    both = dataclasses.replace(minimax_sgd_2, many_classes=ManyClasses(50, 0.1, 0.0, 128)).for_classes(100)
    assert (both.epochs(10), both.lr) == (1300, 0.1)


def test_the_view_of_test_images_is_that_of_the_peers():
    assert minimax_sgd_2.test_view() == igd_adamw_soft_2.test_view() == ImageView(224, 224, "bilinear")
    assert rded_1k_2.test_view() == ImageView(256, 224, "bilinear")
    assert minimax_sgd_1.test_view() is rded_1k_1.test_view() is cpu_small_1.test_view() is None
    with pytest.raises(ValueError, match="a crop of side 224 does not fit"):
        dataclasses.replace(rded_1k_2, test_resize=128)


def rates(protocol, epochs, per_epoch=2):
    return [learning_rate(protocol, step, per_epoch, epochs) for step in range(epochs * per_epoch)]


def test_steps_fall_to_a_fifth_after_two_thirds_and_five_sixths_of_the_epochs():
    found = rates(minimax_sgd_1, 8, 1)  # floor(16 / 3) = 5, floor(40 / 6) = 6
    assert found == pytest.approx([0.01] * 5 + [0.002] + [0.0004] * 2)
    assert rates(minimax_sgd_1, 8)[::2] == rates(minimax_sgd_1, 8)[1::2] == found


def test_a_cosine_falls_to_zero_by_batches_and_the_upper_half_to_one_half_by_epochs():
    whole = rates(HardLabels(((1, 1),), lr=1.0), 4)
    assert whole[0] == 1
    assert whole[4] == pytest.approx(0.5)
    assert len(set(whole)) == 8
    upper = rates(dataclasses.replace(rded_1k_1, lr=1.0), 300, 1)
    assert upper[0] == 1
    assert upper[150] == pytest.approx(0.5 * (1 + 2**-0.5))
    assert upper[-1] == pytest.approx(0.5, abs=0.003)
    assert rates(rded_1k_1, 4)[::2] == rates(rded_1k_1, 4)[1::2]


def test_optimisers_are_those_of_the_protocols():
    net = ConvNet(depth=1, width=4)((3, 8, 8), 2)
    sgd = make_optimiser(minimax_sgd_1, net)
    assert isinstance(sgd, torch.optim.SGD)
    assert [(g["lr"], g["momentum"], g["weight_decay"]) for g in sgd.param_groups] == [(0.01, 0.9, 5e-4)]
    adamw = make_optimiser(rded_1k_1, net)
    assert isinstance(adamw, torch.optim.AdamW)
    assert [g["weight_decay"] for g in adamw.param_groups] == [1e-2, 0.0]
    assert [{p.ndim for p in g["params"]} for g in adamw.param_groups] == [{2, 4}, {1}]
    assert sum(len(g["params"]) for g in adamw.param_groups) == len(list(net.parameters()))


def rgb(n=4, side=24, classes=2):
    images = torch.randint(0, 256, (n * classes, 3, side, side), generator=torch.Generator().manual_seed(0))
    labels = torch.arange(classes).repeat_interleave(n)
    return LabeledImages(images.to(torch.uint8), labels, tuple(f"class{k}" for k in range(classes)))


def small(protocol, **changes):
    return dataclasses.replace(protocol, side=16, test_resize=20, epochs_by_ipc=((100, 2),), **changes)


def test_test_images_are_resized_then_cropped_and_never_augmented():
    from torchvision.transforms.v2 import functional as tv

    images = rgb().images
    view = make_view(small(rded_1k_1), images, "cpu")
    pixels = tv.center_crop(tv.resize(images.float() / 255, [20], antialias=True), [16, 16])
    expected = tv.normalize(pixels, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    torch.testing.assert_close(view.test(images), expected, rtol=0, atol=1e-5)
    index, random = torch.tensor([3, 1]), torch.Generator()
    plain = make_view(small(rded_1k_1, augmentation=Augmentation()), images, "cpu").train(index, random)
    to_side = tv.normalize(
        tv.resize(images[index].float() / 255, [16], antialias=True), [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    )
    torch.testing.assert_close(plain, to_side, rtol=0, atol=1e-5)
    assert not torch.allclose(view.train(index, random.manual_seed(0)), plain)


def test_test_images_of_minimax_sgd_are_resized_to_the_side_itself():
    from torchvision.transforms.v2 import functional as tv

    images = rgb().images
    view = make_view(dataclasses.replace(minimax_sgd_1, side=16), images, "cpu")
    expected = tv.normalize(
        tv.resize(images.float() / 255, [16], antialias=True), [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    )
    torch.testing.assert_close(view.test(images), expected, rtol=0, atol=1e-5)


def test_decoded_test_images_are_normalised_and_not_resized_again():
    images = rgb(side=16).images
    expected = (images.double() / 255 - torch.tensor([0.485, 0.456, 0.406]).double()[:, None, None]) / torch.tensor(
        [0.229, 0.224, 0.225]
    ).double()[:, None, None]
    decoded = make_view(small(rded_1k_2), images, "cpu", decoded=True)
    torch.testing.assert_close(decoded.test(images).double(), expected, rtol=0, atol=1e-6)
    assert (make_view(small(rded_1k_2), images, "cpu").test(images) - expected).abs().max() > 0.1


def test_grey_images_and_augmentation_without_a_side_are_refused():
    with pytest.raises(ValueError, match="RGB images, these have 1 channels"):
        make_view(minimax_sgd_1, torch.zeros(2, 1, 8, 8, dtype=torch.uint8), "cpu")
    with pytest.raises(ValueError, match="needs the side"):
        make_view(dataclasses.replace(minimax_sgd_1, side=0), rgb().images, "cpu")


@pytest.mark.parametrize("protocol", [minimax_sgd_2, igd_adamw_1])
def test_a_protocol_of_the_field_learns_what_can_be_told_apart(protocol):
    data = rgb(n=8)
    bright = (data.images // 2 + 120 * data.labels.view(-1, 1, 1, 1)).to(torch.uint8)
    data = LabeledImages(bright, data.labels, data.classes)
    quick = dataclasses.replace(small(protocol, evaluations=2), epochs_by_ipc=((100, 30),), batch=8)
    found = quick.evaluate(data, data, ConvNet(depth=2, width=8), StageContext(seed=0))
    assert [epoch for epoch, _ in found.curve] == [15, 30]
    assert found.curve[-1][1] > 0.9
    assert found == quick.evaluate(data, data, ConvNet(depth=2, width=8), StageContext(seed=0))


def test_cross_entropy_of_a_mixed_batch_is_that_of_its_mixed_labels():
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    own, other = torch.tensor([0, 1, 2, 0, 1]), torch.tensor([1, 1, 0, 2, 2])
    soft = 0.7 * F.one_hot(own, 3) + 0.3 * F.one_hot(other, 3)
    found = cross_entropy(logits, torch.empty(0), Target(own, other, 0.7))
    torch.testing.assert_close(found, F.cross_entropy(logits, soft))
    torch.testing.assert_close(cross_entropy(logits, torch.empty(0), Target(own)), F.cross_entropy(logits, own))


def test_distillation_is_the_divergence_at_its_temperature_without_its_square():
    random = torch.Generator().manual_seed(0)
    said, logits = torch.randn(2, 4, 3, generator=random) * 5
    loss = Distillation(torch.nn.Identity(), 20.0)
    p, q = (said / 20).softmax(1), (logits / 20).softmax(1)
    expected = (p * (p / q).log()).sum(1).mean()
    torch.testing.assert_close(loss(logits, said, Target(torch.zeros(4))), expected, rtol=1e-3, atol=1e-7)
    assert loss(said, said, Target(torch.zeros(4))).item() == pytest.approx(0, abs=1e-7)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """(file, SHA-256) of an untrained ResNet-18 of two classes."""
    from torchvision.models import resnet18

    path = tmp_path_factory.mktemp("teacher") / "teacher.pth"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.save(resnet18(num_classes=2).state_dict(), path)
    return str(path), hashlib.sha256(path.read_bytes()).hexdigest()


def test_soft_labels_come_from_the_teacher_and_not_from_the_labels(checkpoint):
    quick = small(rded_1k_1, teacher=checkpoint[0], teacher_sha256=checkpoint[1][:8])
    data = rgb()
    result = quick.evaluate(data, data, BatchNormResNet18(), StageContext(seed=0))
    assert [epoch for epoch, _ in result.curve] == [2]
    assert len(result.correct) == 8


def test_a_teacher_is_frozen_and_in_eval_mode(checkpoint):
    teacher = open_teacher(*checkpoint, num_classes=2, device="cpu")
    assert not any(module.training for module in teacher.modules())
    assert not any(p.requires_grad for p in teacher.parameters())


def test_a_teacher_that_is_missing_or_another_is_one_clear_error(checkpoint, tmp_path, monkeypatch):
    file, sha = checkpoint
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(BenchError, match=r"'none.pth' is not there: put .* TORCH_HOME .*teacher_sha256"):
        open_teacher("none.pth", sha, 2, "cpu")
    for wrong in ("0" * 8, sha[:7]):
        with pytest.raises(BenchError, match=f"has SHA-256 {sha}.*teacher_sha256"):
            open_teacher(file, wrong, 2, "cpu")
    with pytest.raises(BenchError, match="knows 2 classes, the dataset has 10"):
        open_teacher(file, sha, 10, "cpu")


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    path = tmp_path / "evil.pth"
    torch.save({"fc.weight": print}, path)
    with pytest.raises(Exception, match=r"[Ww]eights.only"):
        open_teacher(str(path), hashlib.sha256(path.read_bytes()).hexdigest(), 2, "cpu")


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_teacher_may_be_any_network_of_timm(tmp_path, suffix):
    import timm
    from safetensors.torch import save_file

    path = tmp_path / f"teacher.{suffix}"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        expected = timm.create_model("test_resnet", pretrained=False, num_classes=2).eval()
    (save_file if suffix == "safetensors" else torch.save)(expected.state_dict(), path)
    sha = hashlib.sha256(path.read_bytes()).hexdigest()
    x = torch.randn(2, 3, 32, 32)
    assert torch.equal(open_teacher(str(path), sha, 2, "cpu", "timm:test_resnet")(x), expected(x))
    with pytest.raises(BenchError, match="knows 2 classes, the dataset has 10"):
        open_teacher(str(path), sha, 10, "cpu", "timm:test_resnet")
    with pytest.raises(BenchError, match="does not hold the weights of the protocol's teacher_arch 'torchvision:resn"):
        open_teacher(str(path), sha, 2, "cpu")
    quick = small(rded_1k_1, teacher=str(path), teacher_sha256=sha, teacher_arch="timm:test_resnet")
    assert len(quick.evaluate(rgb(), rgb(), BatchNormResNet18(), StageContext(seed=0)).correct) == 8


def test_a_teacher_of_an_unknown_arch_is_refused(checkpoint):
    for arch in ("resnet18", "torchvision:resnet", "keras:resnet18"):
        with pytest.raises(BenchError, match="is no classifier of torchvision or timm: write torchvision:resnet18"):
            open_teacher(*checkpoint, 2, "cpu", arch)
    with pytest.raises(BenchError, match="nearest: resnet18"):
        open_teacher(*checkpoint, 2, "cpu", "timm:resnet118")


def test_a_soft_protocol_is_hard_in_all_but_its_labels():
    assert issubclass(SoftLabels, HardLabels)


FIELD_STUDIES = ["imagenette", "imagewoof", "imagenet1k", "paper"]


@pytest.mark.parametrize("name", FIELD_STUDIES)
def test_the_fields_studies_name_the_folder_they_need(name):
    with pytest.raises(BenchError, match=r"data\.image\w+\.root"):
        resolve(load_config(name, {}, []))


@pytest.mark.parametrize("name", FIELD_STUDIES)
def test_the_fields_studies_are_valid_in_all_but_the_data(name, tmp_path):
    """A tree of empty files stands for the data: resolving lists and counts files, it decodes none."""
    config = load_config(name, {}, [])
    changes = {"grid.ipc": [1]}
    for dataset in config.grid.datasets:
        for wnid in registry.load("dataset", dataset)().classes:
            for part in ("train", "val"):
                folder = tmp_path / dataset / part / wnid
                folder.mkdir(parents=True)
                (folder / f"{wnid}.JPEG").touch()
        changes[f"data.{dataset}.root"] = str(tmp_path / dataset)
    study = resolve(load_config(name, changes, []))
    assert study.config.device == "cuda"
    for method in study.methods.values():
        if method.family == "diffusion":
            assert method.prior.source == "facebook/DiT-XL-2-256"
            assert method.prior.encoder.source == "stabilityai/sd-vae-ft-ema"
            assert method.prior.decoder.source == "stabilityai/sd-vae-ft-mse"
            assert (method.sampler.guided_channels, method.sampler.variance) == (3, "model")  # DiT learns it
            assert method.finetune.parameters == "difffit"
            if method.guidance is not None:
                assert (method.guidance.eta_dpp, method.guidance.eta_dm) == (100, 100)
    for dataset in config.grid.datasets:
        plain, tuned = study.methods[dataset, "dit"], study.methods[dataset, "rsm_cgs"]
        assert plain.prior == tuned.prior
        assert tuned.objective == study.methods[dataset, "rsm"].objective
