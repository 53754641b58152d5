"""Mode guidance: its equation, its stop, where it leads and where it is not defined; and what any guide is asked."""

import dataclasses
from dataclasses import dataclass

import pytest
import torch
from diffusers import DDPMScheduler
from sklearn.cluster import KMeans

from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.errors import BenchError
from ddbench.methods.diffusion.context import SamplingContext, k_means
from ddbench.methods.diffusion.guidances.guidance import Guide, LatentSets, Steering, Step
from ddbench.methods.diffusion.guidances.mgd3 import MGD3, _Modes
from ddbench.methods.diffusion.method import Diffusion
from ddbench.methods.diffusion.sampler import Sampler, step_moments
from ddbench.types import LabeledImages, StageContext
from tests.support.sampled import sampled

CONTEXT = StageContext(seed=0)
SAMPLER = Sampler(steps=20, guidance_scale=1.0)


def scene_of(images, model, ipc, names=("a", "b", "c", "d")):
    return SamplingContext(names, ipc, images, model.encoder, model.decoder, CONTEXT, model.beside)


def step_of(sampler, abar, abar_next, progress=0.2, v=None):
    """A step from random latents (4, 3, 4, 8, 8), whose pull a guide is asked for."""
    random = torch.Generator().manual_seed(0)
    z, eps = torch.randn(2, 4, 3, 4, 8, 8, generator=random)
    mean, sigma, x0_hat = step_moments(sampler, z, eps, abar, abar_next, v)
    before = LatentSets(latents=z, x0_hat=x0_hat, mean=z.mean(1), abar=abar, progress=progress - 0.02)
    return Step(before, eps, mean, sigma, abar_next, progress)


@pytest.mark.parametrize("variance", ["fixed", "learned"])
def test_the_pull_is_a_tenth_of_the_schedulers_own_deviation_times_the_way_to_the_mode(variance):
    """mean + 0.1 exp(log_variance / 2) (m - x0_hat) with diffusers' DDPM posterior, respaced to 50 steps."""
    scheduler = DDPMScheduler(
        1000,
        clip_sample=False,
        timestep_spacing="linspace",
        variance_type="learned_range" if variance == "learned" else "fixed_small",
    )
    scheduler.set_timesteps(50)
    modes = torch.randn(4, 3, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    v = torch.rand(4, 3, 4, 8, 8, generator=torch.Generator().manual_seed(2)) * 2 - 1
    for i in (0, 11, 23):
        t = int(scheduler.timesteps[i])
        abar, abar_next = (float(scheduler.alphas_cumprod[scheduler.timesteps[j]]) for j in (i, i + 1))
        step = step_of(Sampler(variance=variance), abar, abar_next, (i + 1) / 50, v)
        if variance == "learned":
            deviation = (0.5 * scheduler._get_variance(t, predicted_variance=v)).exp()
        else:
            deviation = scheduler._get_variance(t) ** 0.5
        said = torch.cat([step.eps, v], 2) if variance == "learned" else step.eps
        x0_hat = scheduler.step(said.flatten(0, 1), t, step.before.latents.flatten(0, 1))
        x0_hat = x0_hat.pred_original_sample.view_as(modes)
        found = _Modes(MGD3(), modes).shift(step)
        assert (found - 0.1 * deviation * (modes - x0_hat)).abs().max() < 1e-6 * max(1.0, float(x0_hat.abs().max()))


def test_the_pull_brings_the_next_latents_nearer_to_the_mode():
    step = step_of(Sampler(variance="fixed"), 0.3, 0.4)
    modes = torch.randn(4, 3, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    moved = step.mean + _Modes(MGD3(scale=0.05), modes).shift(step)
    target = 0.4**0.5 * modes
    assert (moved - target).norm() < (step.mean - target).norm()


def test_24_of_50_steps_are_guided_while_the_respaced_timestep_is_above_25():
    modes, sampler = torch.ones(4, 3, 4, 8, 8), Sampler(variance="fixed")
    guided = [
        50 - n for n in range(1, 51) if _Modes(MGD3(), modes).shift(step_of(sampler, 0.3, 0.4, n / 50)).abs().max() > 0
    ]
    assert guided == list(range(49, 25, -1)) and len(guided) == 24


def test_ddim_is_refused_before_anything_runs():
    with pytest.raises(ValueError, match=r"set sampler\.kind=ddpm"):
        Diffusion(guidance=MGD3(), sampler=Sampler(kind="ddim"))
    with pytest.raises(BenchError, match=r"MGD3 .*set sampler\.kind=ddpm"):
        resolve(load_config("smoke", {"grid.methods": ["mgd3"]}, ["methods.diffusion.sampler.kind=ddim"]))
    resolve(load_config("smoke", {"grid.methods": ["igd", "cgs"]}, ["methods.diffusion.sampler.kind=ddim"]))


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
    context = scene_of(images, model, 4)
    long = Sampler(steps=50, guidance_scale=1.0)
    guide = MGD3(scale=0.5, stop=1.0).begin(context)
    drawn = sampled(model, context.names, 4, long, 0, guide)
    for of_class, modes in zip(drawn, guide.modes, strict=True):
        assert torch.cdist(of_class.flatten(1), modes.flatten(1)).argmin(1).tolist() == [0, 1, 2, 3]


class Watching(Guide):
    def __init__(self, context):
        self.context, self.seen = context, []

    def times(self, progress):
        return 2 if progress == 0.5 else 1

    def noise(self, sets, eps):
        self.seen.append(("before", round(sets.progress * 4), sets.latents.shape[1]))
        return eps

    def shift(self, step):
        assert torch.equal(step.before.predict(step.before.latents).eps, step.eps)
        self.seen.append(("shift", round(step.progress * 4), step.mean.shape[1]))
        return super().shift(step)

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


def test_a_steering_is_asked_around_each_step_and_told_of_the_end_for_each_part_of_a_set(images, model):
    watch, short = Watch(), Sampler(steps=4, guidance_scale=1.0, micro_batch=6)
    made = Diffusion(guidance=watch, sampler=short).distill(images, model, 3, CONTEXT)
    taken = (0, 1, 1, 2, 3)  # the second step twice
    steps = [(when, i + (when != "before")) for i in taken for when in ("before", "shift", "after")]
    parts = [(*at, n) for n in (2, 1) for at in [*steps, ("finished", 4)]]
    assert [guide.seen for guide in watch.guides] == [parts, parts]
    assert [guide.context.names for guide in watch.guides] == [("a", "b"), ("c", "d")]
    assert torch.equal(watch.guides[1].context.images("c"), images.of_class(2))
    assert made.images.shape == (12, 1, 8, 8)


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
    assert torch.equal(whole.modes("c", seed=0), other.modes("c", seed=0))


def test_by_default_k_means_is_scikit_learns_with_seed_0_whatever_the_set(images, model):
    expected = KMeans(3, random_state=0, n_init="auto").fit(images.of_class(1).flatten(1).double().numpy() / 127.5 - 1)
    for seed in (0, 1):
        context = dataclasses.replace(scene_of(images, model, 3, ("b",)), ctx=StageContext(seed=seed))
        modes = MGD3().begin(context).modes[0]
        torch.testing.assert_close(modes.flatten(1), torch.tensor(expected.cluster_centers_).float())
    own = MGD3(seed=None).begin(dataclasses.replace(scene_of(images, model, 3, ("b",)), ctx=StageContext(seed=1)))
    assert not torch.equal(own.modes[0], modes)
