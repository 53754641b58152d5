"""What every registered method must do, with its own tiny settings."""

import pytest
import torch

from benchmark import registry
from benchmark.types import DistilledSet, StageContext
from benchmark.values import build, describe, override
from evaluators.networks import convnet3_w32

TINY = {
    "diffusion": {
        "prior": {"width": 16, "layers": 1, "heads": 1, "training": {"steps": 4, "batch": 8}},
        "finetune": {"steps": 3, "batch": 8},
        "sampler": {"steps": 4, "clip_x0": True},
    },
    "dm": {"iterations": 2, "batch_real": 4, "embedder": "convnet3-w32", "augmentations": "color_crop_cutout"},
}

TINY["herding"] = TINY["kcenter"] = {"embedder": {"network": "convnet3-w32", "epochs": 1, "batch": 8}}


def tiny(name):
    method = registry.load("method", name)
    return override(method, TINY.get(method.family, TINY.get(name, {})), name)


def context(seed):
    return StageContext(seed=seed, networks={"convnet3-w32": convnet3_w32})


def distil(method, images, ipc, seed):
    state = None
    for preparation in method.preparations(seed):
        state = preparation.run(images, state, context(0))
    return method.distill(images, state, ipc, context(seed))


@pytest.fixture(params=registry.entries("method"))
def method(request):
    return tiny(request.param)


@pytest.mark.parametrize("ipc", [1, 3])
def test_exactly_ipc_images_of_every_class_in_the_datasets_format(method, images, ipc):
    made = distil(method, images, ipc, seed=0)
    DistilledSet(made, ipc)
    assert made.shape == images.shape
    assert made.classes == images.classes


def test_the_seed_decides_every_byte(method, images):
    first, again, other = (distil(method, images, 2, seed) for seed in (0, 0, 1))
    assert torch.equal(first.images, again.images)
    assert not torch.equal(first.images, other.images)


def test_neither_global_random_state_nor_the_real_images_are_touched(method, images):
    before, pixels = torch.get_rng_state(), images.images.clone()
    distil(method, images, 2, seed=0)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(pixels, images.images)


def test_what_distill_reads_is_declared(method, images):
    """Rebuilt from the declared fields alone, as a worker does, it makes the same set."""
    state = None
    for preparation in method.preparations(0):
        state = preparation.run(images, state, context(0))
    described = describe(method)
    rebuilt = build({key: described[key] for key in ("type", *method.reads())})
    expected = method.distill(images, state, 2, context(0))
    assert torch.equal(rebuilt.distill(images, state, 2, context(0)).images, expected.images)


def test_it_survives_description(method):
    assert build(describe(method)) == method
