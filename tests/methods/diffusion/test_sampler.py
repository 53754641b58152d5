"""The sampler against diffusers' own schedulers, and its independence of batch, set size and class order."""

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler

from ddbench.methods.diffusion.guidances.cgs import CGS
from ddbench.methods.diffusion.noise import SetNoise, image_noise
from ddbench.methods.diffusion.objectives.objective import Prediction
from ddbench.methods.diffusion.sampler import Sampler, predict, schedule, step_moments
from tests.support.sampled import sampled


# diffusers' DDIM steps back by 1000 // steps whatever the spacing, so with linspace it takes abar at timesteps that
# are never visited; there is nothing to compare with.
@pytest.mark.parametrize(
    ("kind", "spacing"),
    [("ddpm", "leading"), ("ddpm", "linspace"), ("ddpm", "trailing"), ("ddim", "leading"), ("ddim", "trailing")],
)
@pytest.mark.parametrize("clip", [False, True])
def test_unguided_sampling_equals_diffusers_scheduler_loop(model, kind, spacing, clip):
    sampler = Sampler(kind=kind, steps=10, spacing=spacing, guidance_scale=1.0, clip_x0=clip)
    found = sampled(model, ("b", "d"), 3, sampler, seed=5).flatten(0, 1)

    cls = DDPMScheduler if kind == "ddpm" else DDIMScheduler
    scheduler = cls(1000, beta_schedule="linear", clip_sample=clip, timestep_spacing=spacing)
    scheduler.set_timesteps(10)
    noise = torch.stack([image_noise(5, name, i, 11, (1, 8, 8)) for name in ("b", "d") for i in range(3)], 1)
    ids = torch.tensor([1, 1, 1, 3, 3, 3])
    z = noise[0]
    with torch.no_grad():
        for i, t in enumerate(scheduler.timesteps):
            eps = model.transformer(z, timestep=t.expand(6), class_labels=ids).sample
            if kind == "ddpm":
                z = ddpm_step(scheduler, eps, t, z, noise[i + 1])
            else:
                z = scheduler.step(eps, t, z).prev_sample
    torch.testing.assert_close(found, z, rtol=2e-4, atol=2e-5)


def ddpm_step(scheduler, eps, t, z, noise):
    """scheduler.step with our noise: its mean is what it returns for a zero draw, its deviation is its own."""
    import diffusers.schedulers.scheduling_ddpm as module

    original = module.randn_tensor
    module.randn_tensor = lambda *a, **k: noise
    try:
        return scheduler.step(eps, t, z).prev_sample
    finally:
        module.randn_tensor = original


def test_stochastic_ddim_equals_diffusers(model):
    scheduler = DDIMScheduler(1000, beta_schedule="linear", clip_sample=False, timestep_spacing="leading")
    scheduler.set_timesteps(10)
    leading = Sampler(kind="ddim", steps=10, eta=0.7, spacing="leading")
    timesteps, abars = schedule(model, leading)
    z, eps, noise = torch.randn(3, 4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    for i, t in enumerate(timesteps[:-1]):
        expected = scheduler.step(eps, t, z, eta=0.7, variance_noise=noise).prev_sample
        mean, sigma, _ = step_moments(leading, z, eps, abars[i], abars[i + 1])
        torch.testing.assert_close(mean + sigma * noise, expected, rtol=1e-4, atol=1e-5)


def test_x0_hat_equals_the_schedulers_pred_original_sample(model):
    scheduler = DDPMScheduler(1000, clip_sample=False)
    x_t, eps = torch.randn(2, 4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    for t in (0, 10, 500, 999):
        abar = scheduler.alphas_cumprod[t].view(1, 1, 1, 1)
        found = Prediction(x0=x_t, x_t=x_t, eps_hat=eps, abar=abar, labels=torch.zeros(4)).x0_hat
        expected = scheduler.step(eps, t, x_t).pred_original_sample
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("guidance", [None, CGS(eta_dpp=0.05, eta_dm=5)])
def test_output_does_not_depend_on_the_networks_micro_batch(model, guidance):
    means = torch.zeros(4, 1, 8, 8)
    outputs = [
        sampled(model, model.classes, 6, Sampler(steps=8, guidance_scale=1.5, micro_batch=m), 0, guidance, means)
        for m in (1, 5, 8, 100)
    ]
    for other in outputs[1:]:
        # The sums inside a matrix product are ordered by its size: the last bits may differ, no more.
        assert (other - outputs[0]).norm() < 1e-5 * outputs[0].norm()
        levels = [model.decoder.decode(z.flatten(0, 1)).int() for z in (other, outputs[0])]
        assert (levels[0] - levels[1]).abs().max() <= 1


def test_an_unguided_image_does_not_depend_on_how_many_are_drawn_nor_on_the_order_of_classes(model):
    sampler = Sampler(steps=6, guidance_scale=1.5)
    many = sampled(model, ("a", "b", "c"), 5, sampler, seed=1)
    few = sampled(model, ("c", "a"), 2, sampler, seed=1)
    torch.testing.assert_close(few[0], many[2, :2], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(few[1], many[0, :2], rtol=1e-4, atol=1e-5)


def test_seeds_and_images_have_their_own_noise():
    draws = [image_noise(s, name, i, 3, (1, 4, 4)) for s in (0, 1) for name in ("a", "b") for i in (0, 1)]
    assert len({tuple(d.flatten().tolist()) for d in draws}) == len(draws)


def test_classifier_free_guidance_mixes_class_and_null_predictions(model):
    z, ids = torch.randn(3, 1, 8, 8), torch.tensor([0, 1, 2])
    t = torch.full((3,), 400)
    with torch.no_grad():
        with_class = model.predict(z, t, ids)[0]
        null = model.predict(z, t, torch.full((3,), 4))[0]
        found = predict(model, z, 400, ids, Sampler(guidance_scale=2.5))[0]
    torch.testing.assert_close(found, null + 2.5 * (with_class - null))


def test_guidance_of_one_class_leaves_the_others_alone(model):
    sampler, cgs = Sampler(steps=6, guidance_scale=1.5), CGS(eta_dpp=0.05, eta_dm=5)
    means = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    both = sampled(model, ("a", "b"), 4, sampler, 0, cgs, means)
    other = sampled(model, ("a", "b"), 4, sampler, 0, cgs, means + torch.tensor([1.0, 0.0]).view(2, 1, 1, 1))
    assert not torch.equal(both[0], other[0])
    assert torch.equal(both[1], other[1])
    alone = sampled(model, ("b",), 4, sampler, 0, cgs, means[1:])  # a batch of another size rounds differently
    assert (both[1] - alone[0]).norm() < 1e-5 * alone.norm()


def test_ipc_100_in_micro_batches_of_8_equals_one_of_100(model):
    means, guided = torch.zeros(1, 1, 8, 8), CGS(eta_dpp=0.05, eta_dm=5)
    eight, hundred = (
        sampled(model, ("b",), 100, Sampler(steps=5, guidance_scale=1.5, micro_batch=m), 0, guided, means)
        for m in (8, 100)
    )
    assert (eight - hundred).norm() < 1e-5 * hundred.norm()


def test_noise_is_named_by_its_coordinates_and_extra_draws_move_no_other():
    noise = SetNoise(3, ("a", "b"), range(1, 3), (1, 4, 4))
    draws = noise.draws(5)
    assert draws.shape == (6, 2, 2, 1, 4, 4)
    assert torch.equal(draws[:, 1, 0], image_noise(3, "b", 1, 6, (1, 4, 4)))
    again = noise.again(2, 1)
    assert again.shape == (2, 2, 2, 1, 4, 4)
    assert torch.equal(again[:, 1, 1], SetNoise(3, ("b",), range(2, 3), (1, 4, 4)).again(2, 1)[:, 0, 0])
    assert not torch.equal(again, noise.again(2, 2)) and not torch.equal(again, noise.again(3, 1))


def test_a_model_without_a_learned_variance_takes_the_posteriors_and_is_refused_for_the_learned_one(model):
    default, fixed = (sampled(model, ("a",), 2, Sampler(steps=4, variance=v)) for v in ("model", "fixed"))
    assert torch.equal(default, fixed)
    with pytest.raises(ValueError, match="as many outputs as inputs"):
        sampled(model, ("a",), 2, Sampler(steps=4, variance="learned"))
