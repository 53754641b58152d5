"""Mode guidance: its equation, its stop, and where it leads."""

from dataclasses import dataclass

import pytest
import torch

from ddbench.methods.diffusion.context import SamplingContext, k_means
from ddbench.methods.diffusion.guidances.guidance import Guide, LatentSets, Steering
from ddbench.methods.diffusion.guidances.mgd3 import MGD3
from ddbench.methods.diffusion.latents import class_means
from ddbench.methods.diffusion.method import Diffusion
from ddbench.methods.diffusion.sampler import Sampler, predicted_x0, sample_sets
from ddbench.types import LabeledImages, StageContext

CONTEXT = StageContext(seed=0)
SAMPLER = Sampler(steps=20, guidance_scale=1.0)


def scene_of(images, model, ipc, names=("a", "b", "c", "d")):
    return SamplingContext(names, ipc, images, model.encoder, model.decoder, CONTEXT, model.beside)


def sets(abar=0.3, progress=0.2):
    random = torch.Generator().manual_seed(0)
    z, x0_hat = torch.randn(2, 4, 3, 1, 8, 8, generator=random, dtype=torch.float64)
    return LatentSets(latents=z, x0_hat=x0_hat, mean=x0_hat.mean(1), abar=abar, progress=progress)


def test_the_noise_is_the_gradient_of_a_gaussian_at_the_mode(images, model):
    given, eps = sets(), torch.randn(4, 3, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    context = scene_of(images, model, 3)
    modes = torch.stack([context.modes(name) for name in context.names]).double()
    x0_hat = given.x0_hat.clone().requires_grad_(True)
    log_density = -0.5 * (modes - x0_hat).square().sum()
    (score,) = torch.autograd.grad(log_density, x0_hat)
    expected = eps - 0.25 * (1 - 0.3) ** 0.5 * score  # Dhariwal & Nichol 2021, algorithm 2
    found = MGD3(scale=0.25).begin(context).noise(given, eps)
    torch.testing.assert_close(found, expected)
    mirrored = MGD3(scale=0.25, direction="as_written").begin(context).noise(given, eps)
    torch.testing.assert_close(mirrored, 2 * eps - expected)


@pytest.mark.parametrize(("direction", "nearer"), [("towards", True), ("as_written", False)])
def test_only_the_minus_brings_the_predicted_image_nearer_to_its_mode(images, model, direction, nearer):
    context = scene_of(images, model, 3)
    guide = MGD3(scale=0.05, direction=direction).begin(context)
    random = torch.Generator().manual_seed(2)
    z, eps = torch.randn(2, 4, 3, 1, 8, 8, generator=random)
    x0_hat = predicted_x0(SAMPLER, z, eps, 0.5)
    given = LatentSets(latents=z, x0_hat=x0_hat, mean=z.mean(1), abar=0.5, progress=0.0)
    after = predicted_x0(SAMPLER, z, guide.noise(given, eps), 0.5)
    modes = torch.stack([context.modes(name) for name in context.names])
    assert bool((after - modes).norm() < (x0_hat - modes).norm()) is nearer


@pytest.mark.parametrize(("step", "guided"), [(0, True), (24, True), (25, False), (49, False)])
def test_guidance_stops_after_step_25_of_50(images, model, step, guided):
    given, eps = sets(progress=step / 50), torch.zeros(4, 3, 1, 8, 8)
    found = MGD3().begin(scene_of(images, model, 3)).noise(given, eps)
    assert bool(found.abs().max() > 0) is guided


def test_without_strength_it_is_dit_bit_for_bit(images, model):
    plain = Diffusion(sampler=SAMPLER).distill(images, model, 3, CONTEXT)
    still = Diffusion(guidance=MGD3(scale=0), sampler=SAMPLER).distill(images, model, 3, CONTEXT)
    guided = Diffusion(guidance=MGD3(), sampler=SAMPLER).distill(images, model, 3, CONTEXT)
    assert torch.equal(plain.images, still.images)
    assert not torch.equal(plain.images, guided.images)


def test_each_image_reaches_the_mode_of_its_own_index(model):
    # Four modes a class, and a network that finds every image as likely as any other: guidance alone decides.
    patterns = torch.randint(0, 256, (16, 1, 8, 8), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)
    images = LabeledImages(patterns.repeat_interleave(5, 0), torch.arange(4).repeat_interleave(20), model.classes)
    model.predict = lambda x, t, ids: ((1 - model.alphas_cumprod[t].view(-1, 1, 1, 1)).sqrt() * x, None)
    context, means = scene_of(images, model, 4), class_means(model.encoder, images, CONTEXT)
    long = Sampler(steps=50, guidance_scale=1.0)
    guide = MGD3(scale=0.5, stop=1.0).begin(context)
    drawn = sample_sets(model, context.names, 4, long, 0, guide, means)
    for k, name in enumerate(context.names):
        assert torch.cdist(drawn[k].flatten(1), context.modes(name).flatten(1)).argmin(1).tolist() == [0, 1, 2, 3]


class Watching(Guide):
    def __init__(self, context):
        self.context, self.seen = context, []

    def noise(self, sets, eps):
        self.seen.append(("before", round(sets.progress * 4), sets.latents.shape[1]))
        return eps

    def correction(self, sets):
        self.seen.append(("after", round(sets.progress * 4), sets.latents.shape[1]))
        return super().correction(sets)

    def finished(self, latents):
        self.seen.append(("finished", 4, latents.shape[1]))


@dataclass(frozen=True)
class Watch(Steering):
    """What somebody else's steering may be: it makes two images of a class at once and looks at everything."""

    guides: tuple[Watching, ...] = ()

    def together(self, ipc):
        return 2

    def begin(self, context):
        guide = Watching(context)
        object.__setattr__(self, "guides", (*self.guides, guide))
        return guide


def test_a_steering_is_asked_before_and_after_each_step_and_told_of_the_end_for_each_part_of_a_set(images, model):
    watch, short = Watch(), Sampler(steps=4, guidance_scale=1.0, micro_batch=6)
    made = Diffusion(guidance=watch, sampler=short).distill(images, model, 3, CONTEXT)
    steps = [(when, i + (when == "after")) for i in range(4) for when in ("before", "after")]
    parts = [(*at, n) for n in (2, 1) for at in [*steps, ("finished", 4)]]
    assert [guide.seen for guide in watch.guides] == [parts, parts]
    assert [guide.context.names for guide in watch.guides] == [("a", "b"), ("c", "d")]
    assert torch.equal(watch.guides[1].context.images("c"), images.of_class(2))
    plain = Diffusion(sampler=short).distill(images, model, 3, CONTEXT)
    assert (made.images.int() - plain.images.int()).abs().max() <= 1  # batches of another size round differently


def test_modes_are_the_centres_of_clusters_that_are_there(model):
    random = torch.Generator().manual_seed(0)
    centres = 10 * torch.eye(64)[:3].view(3, 1, 8, 8)
    points = (centres[:, None] + 0.01 * torch.randn(3, 20, 1, 8, 8, generator=random)).flatten(0, 1)
    found = k_means(points, 3, seed=5)
    order = torch.cdist(centres.flatten(1), found.flatten(1)).argmin(1)
    assert sorted(order.tolist()) == [0, 1, 2]
    torch.testing.assert_close(found[order], points.view(3, 20, 1, 8, 8).mean(1))


def test_one_mode_is_the_mean_and_as_many_as_images_are_the_images(images, model):
    one, all_ = scene_of(images, model, 1), scene_of(images, model, 10)
    latents = one.latents("b")
    torch.testing.assert_close(one.modes("b")[0], latents.mean(0))
    assert (torch.cdist(all_.modes("b").flatten(1), latents.flatten(1)).min(0).values < 1e-2).all()


def test_modes_depend_on_the_seed_and_on_nothing_but_the_class(images, model):
    whole = scene_of(images, model, 3)
    some = LabeledImages(images.of_class(2), torch.zeros(10, dtype=torch.int64), ("c",))
    alone = SamplingContext(("c",), 3, some, model.encoder, model.decoder, CONTEXT, {})
    assert torch.equal(whole.modes("c"), alone.modes("c"))
    other = SamplingContext(("c",), 3, some, model.encoder, model.decoder, StageContext(seed=1), {})
    assert not torch.equal(whole.modes("c"), other.modes("c"))
