"""The D4M-style start: sampling that starts at the centres of clusters, and its two limits."""

import pytest
import torch

from ddbench.methods.diffusion.context import SamplingContext
from ddbench.methods.diffusion.denoise import Begun
from ddbench.methods.diffusion.guidances.cgs import CGS
from ddbench.methods.diffusion.method import Diffusion
from ddbench.methods.diffusion.noise import image_noise
from ddbench.methods.diffusion.sampler import Sampler, predict, schedule, step_moments
from ddbench.methods.diffusion.starts.start import Centres
from ddbench.store.distilled import check_distilled
from ddbench.types import StageContext
from tests.support.sampled import sampled

CONTEXT = StageContext(seed=0)
SAMPLER = Sampler(steps=10, guidance_scale=1.5)


def distill(images, model, strength, ipc=3, **changes):
    method = Diffusion(start=Centres(strength=strength), sampler=SAMPLER, **changes)
    return method.distill(images, model, ipc, CONTEXT).images


def test_strength_0_gives_the_decoded_centres(images, model):
    context = SamplingContext(images.classes, 3, images, model.encoder, model.decoder, CONTEXT, {})
    centres = torch.cat([context.modes(name) for name in images.classes])
    assert torch.equal(distill(images, model, 0.0), model.decoder.decode(centres))


def test_strength_1_gives_dit_from_the_same_noise(images, model):
    plain = Diffusion(sampler=SAMPLER).distill(images, model, 3, CONTEXT)
    assert torch.equal(distill(images, model, 1.0), plain.images)


@pytest.mark.parametrize(("strength", "left"), [(0.7, 7), (0.3, 3), (0.04, 0)])
def test_a_part_of_the_steps_is_taken_from_the_noised_latents(model, strength, left):
    start = torch.randn(2, 3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    found = sampled(model, ("a", "c"), 3, SAMPLER, 4, begun=Begun(start, strength))

    timesteps, abars = schedule(model, SAMPLER)
    noise = torch.stack([image_noise(4, name, i, 11, (1, 8, 8)) for name in ("a", "c") for i in range(3)], 1)
    ids = torch.tensor([0, 0, 0, 2, 2, 2])
    z = abars[10 - left] ** 0.5 * start.flatten(0, 1) + (1 - abars[10 - left]) ** 0.5 * noise[0]
    with torch.no_grad():
        for i in range(10 - left, 10):
            eps = predict(model, z, timesteps[i], ids, SAMPLER)[0]
            mean, sigma, _ = step_moments(SAMPLER, z, eps, abars[i], abars[i + 1])
            z = mean + sigma * noise[i + 1]
    torch.testing.assert_close(found.flatten(0, 1), z, rtol=1e-4, atol=1e-5)


def test_less_strength_stays_nearer_to_the_centres(images, model):
    centres = distill(images, model, 0.0).float()
    distances = [(distill(images, model, strength).float() - centres).norm() for strength in (0.2, 0.5, 1.0)]
    assert distances[0] < distances[1] < distances[2]


def test_a_start_goes_with_any_guidance(images, model):
    guided = distill(images, model, 0.5, guidance=CGS(eta_dpp=0.1, eta_dm=5))
    assert not torch.equal(guided, distill(images, model, 0.5))


def test_each_class_has_its_own_images_and_the_order_of_classes_does_not_matter(images, model):
    method = Diffusion(start=Centres(), sampler=SAMPLER)
    made = method.distill(images, model, 2, CONTEXT)
    check_distilled(made, images.classes, images.shape, 2)
    flipped = images.__class__(images.images, 3 - images.labels, images.classes[::-1])
    again = method.distill(flipped, model, 2, CONTEXT)
    difference = again.of_class(0).int() - made.of_class(3).int()
    assert difference.abs().max() <= 1
