"""Networks of timm under their names there."""

import dataclasses

import pytest
import torch

from ddbench import seeding
from ddbench.config.addresses import addresses_of
from ddbench.config.values import build, describe
from ddbench.evaluators.from_timm import Timm
from ddbench.evaluators.protocols import cpu_small_1
from ddbench.learning.zoo import timm_models
from ddbench.types import LabeledImages, StageContext


@pytest.mark.parametrize(
    ("model", "shape", "features"),
    [
        ("test_resnet", (3, 32, 32), 96),
        ("test_resnet", (1, 64, 64), 96),
        ("test_vit", (3, 32, 32), 64),
        ("test_vit", (1, 64, 64), 64),
        ("test_convnext", (3, 64, 64), 64),
    ],
)
def test_a_model_fits_the_images_and_gives_logits_features_and_gradients(model, shape, features):
    network = Timm(model)(shape, 7)
    assert network.training
    logits = network(torch.randn(2, *shape))
    logits.square().sum().backward()
    assert logits.shape == (2, 7)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    x = torch.randn(2, *shape)
    found = network.eval().features(x)
    assert found.shape == (2, features)
    torch.testing.assert_close(network.net.get_classifier()(found), network(x))


def test_the_seed_alone_decides_where_a_network_starts():
    def weights(seed):
        with seeding.seeded("eval-init", seed):
            return torch.cat([p.flatten() for p in Timm("test_vit")((3, 32, 32), 3).parameters()])

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


def test_nothing_is_downloaded(monkeypatch):
    import timm

    asked = []
    create = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda *a, **k: (asked.append(k["pretrained"]), create(*a, **k))[1])
    Timm("test_resnet")((3, 32, 32), 2)
    assert asked
    assert not any(asked)


def test_names_are_those_of_the_library():
    import timm

    assert timm_models() == set(timm.list_models())


def test_a_name_that_is_none_names_the_nearest():
    with pytest.raises(ValueError, match=r"no model 'resnet118'; nearest: resnet18"):
        Timm("resnet118")


def test_weights_of_a_model_are_refused():
    with pytest.raises(ValueError, match=r"names pretrained weights.* write 'resnet18'"):
        Timm("resnet18.a1_in1k")


@pytest.mark.parametrize(("model", "side"), [("test_vit", 8), ("test_vit", 40), ("test_convnext", 2)])
def test_images_that_a_model_cannot_take_are_one_clear_error(model, side):
    with pytest.raises(ValueError, match=f"timm's {model} cannot take images of {side} x {side} px with 3 channels"):
        Timm(model)((3, side, side), 2)


def test_it_can_be_part_of_a_task():
    assert build(describe(Timm("test_resnet")), addresses_of(Timm("test_resnet"))) == Timm("test_resnet")


def test_a_protocol_trains_it():
    images = torch.randint(0, 256, (8, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    data = LabeledImages(images, torch.arange(2).repeat_interleave(4), ("a", "b"))
    quick = dataclasses.replace(cpu_small_1, epochs_by_ipc=((1, 2),), evaluations=1)
    first, again = (quick.evaluate(data, data, Timm("test_vit"), StageContext(seed=3)) for _ in range(2))
    assert first == again
    assert len(first.correct) == 8
