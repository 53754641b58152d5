"""Influence guidance: its gradients against finite differences and autograd, the size of its step, and its memory."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F

from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.errors import BenchError
from ddbench.evaluators.networks import convnet3_w32
from ddbench.methods.diffusion.codec import DiffusersCodec, PixelCodec
from ddbench.methods.diffusion.context import SamplingContext
from ddbench.methods.diffusion.denoise import _Run
from ddbench.methods.diffusion.guidances.guidance import Guide, Step
from ddbench.methods.diffusion.guidances.igd import IGD, _Influenced
from ddbench.methods.diffusion.guidances.igd_influence import REAL_BATCH, Influence, nearest_cosine_gradient
from ddbench.methods.diffusion.guidances.igd_surrogate import NAME, Surrogate, TrainedSurrogate
from ddbench.methods.diffusion.method import Diffusion
from ddbench.methods.diffusion.noise import SetNoise
from ddbench.methods.diffusion.sampler import Sampler
from ddbench.methods.embedder import Embedder, Scaling
from ddbench.store.distilled import check_distilled
from ddbench.types import StageContext
from tests.conftest import make_model
from tests.methods.diffusion.test_pretrained import tiny_pipeline
from tests.support.sampled import sampled

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


def smooth_influence(images, similarity="cosine", factors=(0.5, 1.0), model=None):
    """The influence of a smooth surrogate at two checkpoints, on all images of the four classes."""
    network = Smooth()
    checkpoints = tuple({n: v.detach() * factor for n, v in network.state_dict().items()} for factor in factors)
    embedder = Embedder(network, Unscaled((0.0,), (1.0,), 8), images.shape, images.classes)
    real = [images.of_class(k) for k in range(4)]
    surrogate = Surrogate(embedder, checkpoints)
    return Influence(surrogate, PixelCodec(), range(4), real, similarity, "normalised"), checkpoints


def distance(images, x, k, checkpoints, similarity):
    """What the guidance lowers, by the closed form of the gradient of a two-layer softmax classifier."""
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
        found.append(-inner if similarity == "inner" else 1 - inner / generated.norm() / real.norm())
    return sum(found) / len(found)


@pytest.mark.parametrize("similarity", ["cosine", "inner"])
def test_the_gradient_by_an_image_equals_finite_differences_of_a_closed_form(images, similarity):
    influence, checkpoints = smooth_influence(images, similarity)
    x = 0.5 * torch.randn(1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = influence.by_latent(x[None], torch.tensor([2]))[0]
    for i in (0, 17, 40, 63):
        step = torch.zeros(64, dtype=torch.float64)
        step[i] = 1e-5
        up, down = (distance(images, x + sign * step.view_as(x), 2, checkpoints, similarity) for sign in (1, -1))
        assert float(found.flatten()[i]) == pytest.approx(float(up - down) / 2e-5, rel=1e-4, abs=1e-10)


@pytest.fixture
def noisy():
    """Sets of two latents of four classes with the guided prediction of a tiny DiT, all in double precision."""
    model = make_model()
    model.transformer.double()
    noise = SetNoise(0, model.classes, range(2), (1, 8, 8))
    run = _Run(model, noise, Sampler(steps=8, guidance_scale=4.0), None)
    z = noise.draws(0)[0].double()
    with torch.no_grad():
        return run._sets(2, z, run._sets(2, z, z).predict(z).x0_hat)


def test_the_gradient_by_x_t_through_the_guided_network_equals_finite_differences(images, noisy):
    influence, checkpoints = smooth_influence(images)
    found = influence.gradient(noisy)
    assert not found.requires_grad
    fixed = influence.by_latent(noisy.x0_hat.flatten(0, 1), torch.arange(4).repeat_interleave(2)).view_as(found)
    assert (found - fixed / noisy.abar**0.5).norm() > 0.1 * found.norm()  # the network held fixed is another gradient
    for k, n, i in ((0, 0, 3), (1, 1, 20), (3, 0, 50)):
        sides = []
        for sign in (1, -1):
            z = noisy.latents.clone()
            z[k, n].view(-1)[i] += sign * 1e-5
            with torch.no_grad():
                x0_hat = noisy.predict(z).x0_hat[k, n]
            sides.append(distance(images, x0_hat, k, checkpoints, "cosine"))
        expected = float(sides[0] - sides[1]) / 2e-5
        assert float(found[k, n].flatten()[i]) == pytest.approx(expected, rel=1e-4, abs=1e-9)


def test_the_deviation_gradient_equals_autograd_of_the_largest_cosine():
    random = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 3, generator=random, dtype=torch.float64).requires_grad_(True)
    memory = torch.randn(5, 2, 3, 3, generator=random, dtype=torch.float64)
    largest = F.cosine_similarity(x.flatten()[None], memory.flatten(1)).max()
    (expected,) = torch.autograd.grad(largest, x)
    torch.testing.assert_close(nearest_cosine_gradient(x.detach(), memory), expected)


def taken(sets, progress=0.2):
    """A step from ``sets`` as a guide sees it."""
    eps = sets.predict(sets.latents).eps.detach()
    return Step(sets, eps, sets.latents, torch.tensor(0.1), min(1.0, sets.abar * 1.2), progress)


def test_a_step_of_influence_has_the_authors_length_and_goes_down_the_gradient(images, noisy):
    influence, _ = smooth_influence(images)
    found = _Influenced(IGD(k=5, gamma=0), influence, 4).shift(taken(noisy))
    eps, gradient = noisy.predict(noisy.latents).eps.detach(), influence.gradient(noisy)
    for k in range(4):
        for n in range(2):
            expected = 5 * 0.0015 * eps[k, n].square().mean().sqrt() * (1 - noisy.abar) ** 0.5
            assert found[k, n].square().mean().sqrt().item() == pytest.approx(expected.item(), rel=1e-9)
            direction = F.cosine_similarity(found[k, n].flatten(), gradient[k, n].flatten(), 0)
            assert direction.item() == pytest.approx(-1, abs=1e-9)


def test_deviation_flees_the_memory_by_gamma_times_the_gradient_at_x_t(noisy):
    guide = _Influenced(IGD(k=0, gamma=120), None, 4)
    assert guide.shift(taken(noisy)).abs().max() == 0  # nothing was made before
    before = torch.randn(4, 3, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    guide.finished(before)
    found = guide.shift(taken(noisy))
    for k in range(4):
        for n in range(2):
            x = noisy.latents[k, n].clone().requires_grad_(True)
            F.cosine_similarity(x.flatten()[None], before[k].flatten(1)).max().backward()
            torch.testing.assert_close(found[k, n], -120 * x.grad)


def test_steps_5_to_20_from_the_noise_are_guided_which_are_timesteps_45_to_30_of_50(noisy):
    guide = _Influenced(IGD(k=0, gamma=1, repeat=3), None, 4)
    guide.finished(torch.ones(4, 1, 1, 8, 8, dtype=torch.float64))
    guided = [50 - n for n in range(1, 51) if guide.shift(taken(noisy, n / 50)).abs().max() > 0]
    assert guided == list(range(45, 29, -1))
    assert [50 - n for n in range(1, 51) if guide.times(n / 50) == 3] == guided
    assert {guide.times(n / 50) for n in range(1, 51)} == {1, 3}


def test_a_repeated_step_is_noised_back_to_its_level_with_noise_of_its_own(images, model):
    sampler, memory = Sampler(steps=4, guidance_scale=1.0), torch.ones(1, 1, 1, 8, 8)
    guide = _Influenced(IGD(k=0, gamma=1, window=(0.5, 0.5), repeat=2), None, 1)
    guide.finished(memory)
    found = sampled(model, ("a",), 1, sampler, 0, guide)

    noise = SetNoise(0, ("a",), range(1), (1, 8, 8))
    draws, run = noise.draws(4), _Run(model, noise, sampler, None)
    plain, again = Guide(), _Influenced(IGD(k=0, gamma=1, window=(0.5, 0.5)), None, 1)
    again.finished(memory)
    with torch.no_grad():
        z = run.step(0, draws[0], draws[1], plain)
        z = run.step(1, z, draws[2], again)
        beta = 1 - run.abars[1] / run.abars[2]
        back, fresh = noise.again(1, 1)
        z = run.step(1, (1 - beta) ** 0.5 * z + beta**0.5 * back, fresh, again)
        z = run.step(3, run.step(2, z, draws[3], plain), draws[4], plain)
    torch.testing.assert_close(found, z)


def test_the_memory_keeps_the_last_ones_of_each_class():
    guide = _Influenced(IGD(memory=3), None, 4)
    for i in range(5):
        guide.finished(torch.full((4, 1, 1, 8, 8), float(i)) + 10 * torch.arange(4).view(4, 1, 1, 1, 1))
    assert [[int(m.max()) for m in memory] for memory in guide.memory] == [
        [10 * k + i for i in (2, 3, 4)] for k in range(4)
    ]


def test_the_surrogate_sees_pixels_between_minus_one_and_one_while_sampling(images, model):
    surrogate, seen = model.beside[NAME], []
    surrogate.embedder.network.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach()))
    black_and_white = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 1, 8, 8)
    Influence(surrogate, PixelCodec(), [0], [black_and_white])
    assert (seen[0].min(), seen[0].max(), seen[0].shape[0]) == (-1, 1, 2)
    assert not surrogate.embedder.network.training


def test_the_real_gradient_is_a_mean_over_200_images_drawn_by_the_seed_in_parts_of_50(images, model):
    assert (IGD().real_images, REAL_BATCH) == (200, 50)
    influence, _ = smooth_influence(images)
    few = Influence(influence.surrogate, PixelCodec(), [1], [images.of_class(1)[:7].repeat(20, 1, 1, 1)], "cosine")
    parts = Influence(influence.surrogate, PixelCodec(), [1], [images.of_class(1)[:7]], "cosine")
    torch.testing.assert_close(few.real[0], parts.real[0])  # 140 images in three parts, seven in one
    context = SamplingContext(("b",), 1, images, model.encoder, model.decoder, CONTEXT, model.beside)
    drawn = [IGD(real_images=4)._drawn(dataclasses.replace(context, ctx=StageContext(seed=s)), "b") for s in (0, 1)]
    assert len(drawn[0]) == 4 and not torch.equal(drawn[0], drawn[1])


def distill(images, model, ipc=3, **options):
    made = Diffusion(guidance=IGD(**options), sampler=SAMPLER).distill(images, model, ipc, CONTEXT)
    check_distilled(made, images.classes, images.shape, ipc)
    return made.images


def test_without_factors_it_is_dit_one_by_one(images, model):
    plain = Diffusion(sampler=SAMPLER).distill(images, model, 3, CONTEXT).images
    still = distill(images, model, k=0, gamma=0)
    assert (plain.int() - still.int()).abs().max() <= 1  # batches of another size round differently


def test_both_factors_matter_and_a_seed_repeats_itself(images, model):
    short = {"window": (0.25, 0.4), "ipc": 2}  # two of eight steps
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


def test_a_reversed_window_is_refused_before_anything_runs():
    with pytest.raises(BenchError, match=r"window \(0.4, 0.1\) ends before it begins.*write \(0.1, 0.4\)"):
        resolve(load_config("digits", {}, ["methods.igd.guidance.window=[0.4, 0.1]"]))
