"""The surrogate of IGD: how it is trained, which checkpoints are kept, and that one serves all."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F

from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.errors import BenchError
from ddbench.evaluators.networks import convnet3_w32
from ddbench.methods.diffusion.guidances.igd_surrogate import NAME, TrainedSurrogate
from ddbench.plan.build import make_plan
from ddbench.types import LabeledImages, StageContext
from tests.conftest import make_model

TRAINING = TrainedSurrogate(network="net", epochs=2, batch=8, checkpoints=(0, 2))
CONTEXT = StageContext(seed=0, networks={"net": convnet3_w32})


def test_checkpoints_are_weights_along_one_training(images, tmp_path):
    state = TRAINING.run(images, None, CONTEXT)
    untrained, last = state.checkpoints
    final = state.embedder.network.state_dict()
    assert all(torch.equal(last[name], final[name]) for name in final)
    assert any(not torch.equal(untrained[name], final[name]) for name in final)
    longer = dataclasses.replace(TRAINING, checkpoints=(1, 2)).run(images, None, CONTEXT)
    assert all(torch.equal(longer.checkpoints[1][name], last[name]) for name in last)
    TRAINING.save(state, tmp_path)
    loaded = TRAINING.load(tmp_path, make_model(), CONTEXT).beside[NAME]
    for kept, read in zip(state.checkpoints, loaded.checkpoints, strict=True):
        assert all(torch.equal(kept[name], read[name]) for name in kept)


def test_a_checkpoint_that_the_surrogate_lacks_is_refused_before_anything_runs():
    with pytest.raises(ValueError, match="name an epoch that the surrogate lacks"):
        dataclasses.replace(TRAINING, checkpoints=(0, 3))
    with pytest.raises(BenchError, match=r"surrogate.checkpoints \[0, 21\].*surrogate.epochs=20"):
        resolve(load_config("digits", {}, ["methods.igd.guidance.surrogate.checkpoints=[0, 21]"]))


NETTE = ("n01440764", *(f"other{i}" for i in range(9)))
WOOF = (*(f"other{i}" for i in range(9)), "n02086240")


def test_checkpoints_are_the_authors_for_the_data_set_and_the_network():
    chosen = {
        (name, network): TrainedSurrogate(network=network).chosen(classes)
        for name, classes in {"nette": NETTE, "woof": WOOF}.items()
        for network in ("convnet6", "resnetap10", "resnet18")
    }
    assert chosen == {
        ("nette", "convnet6"): (0, 2, 11, 40),
        ("nette", "resnetap10"): (0, 6, 16, 39),
        ("nette", "resnet18"): (0, 8, 27),
        ("woof", "convnet6"): (0, 5, 16, 40),
        ("woof", "resnetap10"): (0, 6, 16, 39),
        ("woof", "resnet18"): (0, 16, 33),
    }
    assert TrainedSurrogate().chosen((*NETTE, *(f"more{i}" for i in range(990)))) == (0, 5, 18, 52)
    assert TrainedSurrogate(network="convnet3").chosen(("cat", "dog")) == (0, 5, 16, 40)
    assert TrainedSurrogate(epochs=20).chosen(WOOF) == (0, 2, 8, 20)
    assert TrainedSurrogate(checkpoints=(7, 1, 7)).chosen(NETTE) == (1, 7)


def test_the_surrogate_is_trained_by_sgd_at_a_constant_rate():
    """Two steps on one image without augmentation, against the rule of SGD with momentum and weight decay by hand."""
    pixels = torch.arange(64, dtype=torch.uint8).view(1, 1, 8, 8)
    one = LabeledImages(pixels, torch.tensor([1]), ("a", "b"))
    options = TrainedSurrogate(
        network="net", epochs=2, checkpoints=(0, 2), min_side=8, crop=(1, 1), mirror=False, jitter=0, lighting=0
    )
    linear = StageContext(
        seed=0, networks={"net": lambda shape, n: torch.nn.Sequential(Flat(), torch.nn.Linear(64, n))}
    )
    start, end = options.run(one, None, linear).checkpoints
    weights = {name: value.clone().requires_grad_(True) for name, value in start.items()}
    velocity = {name: torch.zeros_like(value) for name, value in start.items()}
    x = (pixels.float() - pixels.float().mean()) / pixels.float().std(correction=0)
    for _ in range(2):
        logits = F.linear(x.flatten(1), weights["1.weight"], weights["1.bias"])
        gradients = torch.autograd.grad(F.cross_entropy(logits, torch.tensor([1])), list(weights.values()))
        for (name, w), g in zip(weights.items(), gradients, strict=True):
            velocity[name] = 0.9 * velocity[name] + g + 5e-4 * w.detach()
            w.data -= 0.01 * velocity[name]
    for name in start:
        torch.testing.assert_close(end[name], weights[name].detach(), rtol=1e-4, atol=1e-6)


class Flat(torch.nn.Module):
    def forward(self, x):
        return x.flatten(1)


def stages(*assignments, methods=("igd", "dit")):
    grid = {"grid.methods": list(methods), "grid.ipc": [1, 10], "grid.seeds": [0, 1], "grid.eval_seeds": [0]}
    return make_plan(resolve(load_config("digits", grid, list(assignments)))).stages


def test_above_a_hundred_classes_it_has_the_authors_other_options():
    surrogate = TrainedSurrogate(batch=64)
    assert surrogate.for_classes(100) == surrogate
    many = surrogate.for_classes(101)
    assert (many.lr, many.weight_decay, many.batch) == (0.1, 1e-4, 128)
    assert dataclasses.replace(surrogate, batch=256).for_classes(1000).batch == 256
    own = dataclasses.replace(surrogate, many_classes=False)
    assert own.for_classes(1000) == own


def test_one_surrogate_serves_every_set_and_whatever_prior_it_guides():
    first, other = stages(), stages("methods.diffusion.prior.layers=3", "methods.diffusion.objective=rsm")
    surrogates = [[key for key, stage in plan.items() if stage.kind == "embed"] for plan in (first, other)]
    assert len(surrogates[0]) == 1
    assert surrogates[0] == surrogates[1]
    assert first[surrogates[0][0]].parents == ()
    priors = [key for key, stage in first.items() if stage.kind == "prior"]
    assert len(priors) == 1
    distilled = [stage.parents for stage in first.values() if stage.kind == "distill" and "/igd/" in stage.label]
    assert distilled == [(priors[0], surrogates[0][0])] * 4
