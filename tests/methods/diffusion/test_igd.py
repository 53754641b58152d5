"""Influence guidance: its gradients against finite differences and autograd, its memory, its surrogate."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F

from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.evaluators.networks import convnet3_w32
from ddbench.methods.diffusion.codec import DiffusersCodec
from ddbench.methods.diffusion.context import SamplingContext
from ddbench.methods.diffusion.guidances.guidance import LatentSets
from ddbench.methods.diffusion.guidances.igd import IGD, nearest_cosine_gradient
from ddbench.methods.diffusion.guidances.igd_surrogate import NAME, Surrogate, TrainedSurrogate
from ddbench.methods.diffusion.method import Diffusion
from ddbench.methods.diffusion.sampler import Sampler
from ddbench.methods.embedder import Embedder, Scaling
from ddbench.plan.build import make_plan
from ddbench.store.distilled import check_distilled
from ddbench.types import StageContext
from tests.conftest import make_model
from tests.methods.diffusion.test_pretrained import tiny_pipeline

TRAINING = TrainedSurrogate(network="net", epochs=2, batch=8, checkpoints=(0, 2))
CONTEXT = StageContext(seed=0, networks={"net": convnet3_w32})
SAMPLER = Sampler(steps=8, guidance_scale=1.0, clip_x0=True)


@pytest.fixture
def model(images, tmp_path):
    """A model with a trained surrogate beside it, saved and loaded as between two workers."""
    TRAINING.save(TRAINING.run(images, None, CONTEXT), tmp_path)
    return TRAINING.load(tmp_path, make_model(), CONTEXT)


class Smooth(torch.nn.Module):
    """A softmax classifier on a smooth feature: twice differentiable everywhere, in float64."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.first, self.last = torch.nn.Linear(64, 6).double(), torch.nn.Linear(6, 4).double()

    def forward(self, x):
        return self.last(torch.tanh(self.first(x.flatten(1).double() / 8)))


class Unscaled(Scaling):
    """Grey levels in [-1, 1] in double precision."""

    def __call__(self, images, device):
        return images.double() / 127.5 - 1


def smooth_guide(images, **options):
    network = Smooth()
    checkpoints = tuple({n: v.detach() * factor for n, v in network.state_dict().items()} for factor in (0.5, 1.0))
    embedder = Embedder(network, Unscaled((0.0,), (1.0,), 8), images.shape, images.classes)
    model = make_model()
    beside = {NAME: Surrogate(embedder, checkpoints)}
    context = SamplingContext(images.classes, 2, images, model.encoder, model.decoder, CONTEXT, beside)
    return IGD(**options).begin(context), checkpoints


def influence(images, x, k, checkpoints, similarity):
    """What the guidance raises, by the closed form of the gradient of a two-layer softmax classifier."""
    found = []
    for weights in checkpoints:

        def flat(pixels, weights=weights):
            h = torch.tanh(pixels.flatten(1) / 8 @ weights["first.weight"].T + weights["first.bias"])
            error = (h @ weights["last.weight"].T + weights["last.bias"]).softmax(1) - F.one_hot(torch.tensor(k), 4)
            back = (error @ weights["last.weight"]) * (1 - h**2)
            parts = [
                torch.einsum("ni,nj->nij", back, pixels.flatten(1) / 8),
                back,
                torch.einsum("ni,nj->nij", error, h),
                error,
            ]
            return torch.cat([part.mean(0).flatten() for part in parts])

        real, generated = flat(images.of_class(k).double() / 127.5 - 1), flat(x[None])
        inner = generated @ real
        found.append(inner if similarity == "inner" else inner / generated.norm() / real.norm())
    return sum(found) / len(found)


@pytest.mark.parametrize("similarity", ["cosine", "inner"])
def test_the_influence_gradient_equals_finite_differences_of_a_closed_form(images, similarity):
    guide, checkpoints = smooth_guide(images, similarity=similarity)
    x = 0.5 * torch.randn(1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = guide.influence_gradients(x[None], torch.tensor([2]))[0]
    for i in (0, 17, 40, 63):
        step = torch.zeros(64, dtype=torch.float64)
        step[i] = 1e-5
        up, down = (influence(images, x + sign * step.view_as(x), 2, checkpoints, similarity) for sign in (1, -1))
        assert float(found.flatten()[i]) == pytest.approx(float(up - down) / 2e-5, rel=1e-5, abs=1e-10)


def test_the_deviation_gradient_equals_autograd_of_the_largest_cosine():
    random = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 3, generator=random, dtype=torch.float64).requires_grad_(True)
    memory = torch.randn(5, 2, 3, 3, generator=random, dtype=torch.float64)
    largest = F.cosine_similarity(x.flatten()[None], memory.flatten(1)).max()
    (expected,) = torch.autograd.grad(largest, x)
    torch.testing.assert_close(nearest_cosine_gradient(x.detach(), memory), expected)


def sets(images, progress=0.75, abar=0.5):
    random = torch.Generator().manual_seed(0)
    z, x0_hat = torch.randn(2, 4, 1, 1, 8, 8, generator=random, dtype=torch.float64)
    return LatentSets(latents=z, x0_hat=x0_hat, mean=x0_hat.mean(1), abar=abar, progress=progress)


def test_the_correction_raises_the_influence_and_flees_the_memory(images):
    given = sets(images)
    guide, _ = smooth_guide(images, k=2.0, gamma=3.0)
    before = torch.randn(4, 2, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    guide.finished(before)
    for k in range(4):
        x = given.x0_hat[k, 0]
        influence = guide.influence_gradients(x[None], torch.tensor([k]))[0]
        expected = -2 * influence + 3 * nearest_cosine_gradient(x, before[k])
        torch.testing.assert_close(guide.correction(given)[k, 0], 0.5**0.5 * expected)


@pytest.mark.parametrize(("progress", "guided"), [(0.58, False), (0.6, True), (0.9, True), (0.92, False)])
def test_steps_30_to_45_of_50_are_guided(images, progress, guided):
    guide, _ = smooth_guide(images)
    assert bool(guide.correction(sets(images, progress)).abs().max() > 0) is guided


def test_the_memory_keeps_the_last_ones_of_each_class(images):
    guide, _ = smooth_guide(images, memory=3)
    for i in range(5):
        guide.finished(torch.full((4, 1, 1, 8, 8), float(i)) + 10 * torch.arange(4).view(4, 1, 1, 1, 1))
    assert [[int(m.max()) for m in memory] for memory in guide.memory] == [
        [10 * k + i for i in (2, 3, 4)] for k in range(4)
    ]


def distill(images, model, ipc=3, **options):
    made = Diffusion(guidance=IGD(**options), sampler=SAMPLER).distill(images, model, ipc, CONTEXT)
    check_distilled(made, images.classes, images.shape, ipc)
    return made.images


def test_without_factors_it_is_dit_one_by_one(images, model):
    plain = Diffusion(sampler=SAMPLER).distill(images, model, 3, CONTEXT).images
    still = distill(images, model, k=0, gamma=0)
    assert (plain.int() - still.int()).abs().max() <= 1  # batches of another size round differently


def test_both_factors_matter_and_a_seed_repeats_itself(images, model):
    short = {"window": (0.75, 0.9), "ipc": 2}  # two of eight steps
    first = distill(images, model, k=50, gamma=20, **short)
    assert torch.equal(first, distill(images, model, k=50, gamma=20, **short))
    for other in ({"k": 0, "gamma": 20}, {"k": 50, "gamma": 0}):
        assert not torch.equal(first, distill(images, model, **other, **short))


def test_images_made_at_once_do_not_flee_each_other(images, model):
    together = distill(images, model, k=0, gamma=30, window=(0.0, 1.0), at_once=3)
    plain = Diffusion(sampler=SAMPLER).distill(images, model, 3, CONTEXT).images
    assert torch.equal(together, plain)


def test_the_gradient_flows_through_an_autoencoder():
    codec = DiffusersCodec(tiny_pipeline().vae)
    latent = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0)).requires_grad_(True)
    rendered = codec.render(latent)
    (gradient,) = torch.autograd.grad(rendered.square().sum(), latent)
    assert gradient.abs().min() > 0
    levels = ((rendered.detach().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    assert (levels.int() - codec.decode(latent.detach()).int()).abs().max() <= 1


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


def test_a_checkpoint_after_the_end_is_refused(images):
    with pytest.raises(ValueError, match="epochs from 0 to 2"):
        dataclasses.replace(TRAINING, checkpoints=(0, 3)).run(images, None, CONTEXT)


def stages(*assignments, methods=("igd", "dit")):
    grid = {"grid.methods": list(methods), "grid.ipc": [1, 10], "grid.seeds": [0, 1], "grid.eval_seeds": [0]}
    return make_plan(resolve(load_config("digits", grid, list(assignments)))).stages


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
