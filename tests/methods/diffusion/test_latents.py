"""Codecs and the cache of latent moments."""

import dataclasses

import pytest
import torch
from diffusers import AutoencoderTiny

from ddbench.methods.diffusion.codec import PixelCodec
from ddbench.methods.diffusion.latents import class_means, training_latents
from ddbench.methods.diffusion.priors.prior import KLAutoencoder, TinyAutoencoder
from ddbench.methods.diffusion.priors.scratch import ScratchPrior
from ddbench.store.opening import open_store
from ddbench.types import LabeledImages, StageContext
from tests.methods.diffusion.test_pretrained import tiny_pipeline


@pytest.fixture(scope="module")
def kl(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vae")
    tiny_pipeline().vae.save_pretrained(folder)
    return KLAutoencoder(str(folder)).open("cpu")


@pytest.fixture(scope="module")
def colour():
    pixels = torch.randint(0, 256, (70, 3, 16, 16), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return LabeledImages(images=pixels, labels=torch.arange(70) % 2, classes=("a", "b"))


def test_pixels_survive_encoding_exactly():
    levels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    assert torch.equal(PixelCodec().decode(PixelCodec().encode(levels)), levels)


def test_moments_are_those_of_diffusers_times_its_scaling_factor(kl, colour):
    mean, deviation = kl.moments(colour.images[:5])
    with torch.no_grad():
        expected = kl.vae.encode(colour.images[:5].float() / 127.5 - 1).latent_dist
    torch.testing.assert_close(mean, expected.mean * 0.18215)
    torch.testing.assert_close(deviation, expected.std * 0.18215)
    assert mean.shape[1:] == kl.latent_shape(colour.shape) == (4, 8, 8)


def test_the_tiny_autoencoder_is_deterministic_and_of_its_own_scale(tmp_path, colour):
    vae = AutoencoderTiny(
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        num_encoder_blocks=(1, 1),
        num_decoder_blocks=(1, 1),
    )
    vae.save_pretrained(tmp_path)
    codec = TinyAutoencoder(str(tmp_path)).open("cpu")
    mean, deviation = codec.moments(colour.images[:4])
    assert deviation is None
    assert mean.shape[1:] == codec.latent_shape(colour.shape)
    with torch.no_grad():
        torch.testing.assert_close(mean, vae.eval().encode(colour.images[:4].float() / 127.5 - 1).latents)
    assert codec.decode(mean).shape == (4, 3, 16, 16)


def context(tmp_path, **kw):
    return StageContext(seed=0, data="some-data", cache=open_store(tmp_path / "s", create=True).cache, **kw)


def test_latents_are_encoded_once_for_every_image_and_its_mirror(kl, colour, tmp_path, monkeypatch):
    ctx, calls = context(tmp_path), []
    original = type(kl).moments
    monkeypatch.setattr(type(kl), "moments", lambda self, x: (calls.append(len(x)), original(self, x))[1])
    first = training_latents(kl, colour, True, ctx)
    assert sum(calls) == 140
    second = training_latents(kl, colour, True, ctx)
    assert sum(calls) == 140
    assert first.mean.shape == (70, 2, 4, 8, 8)
    assert torch.equal(first.mean, second.mean)
    mirrored = original(kl, colour.images[3:4].flip(-1))[0]
    torch.testing.assert_close(first.mean[3, 1].float(), mirrored[0], rtol=1e-2, atol=1e-3)


def test_a_draw_has_the_moments_of_its_images(kl, colour, tmp_path):
    latents = training_latents(kl, colour, False, context(tmp_path))
    index = torch.full((4000,), 7)
    drawn = latents.draw(index, torch.Generator().manual_seed(0), torch.device("cpu"))
    torch.testing.assert_close(drawn.mean(0), latents.mean[7, 0].float(), rtol=0, atol=0.02)
    torch.testing.assert_close(drawn.std(0), latents.deviation[7, 0].float(), rtol=0.1, atol=0.01)


def test_mirrors_are_drawn_half_of_the_time_and_pixels_without_them_draw_nothing(images):
    random = torch.Generator().manual_seed(0)
    latents = training_latents(PixelCodec(), images, True, StageContext(seed=0))
    drawn = latents.draw(torch.zeros(400, dtype=torch.long), random, torch.device("cpu"))
    share = sum(torch.equal(x, latents.mean[0, 1]) for x in drawn) / 400
    assert 0.4 < share < 0.6
    before = random.get_state()
    plain = training_latents(PixelCodec(), images, False, StageContext(seed=0))
    plain.draw(torch.arange(3), random, torch.device("cpu"))
    assert torch.equal(before, random.get_state())


def test_class_means_are_those_of_the_real_latents(images):
    means = class_means(PixelCodec(), images, StageContext(seed=0))
    torch.testing.assert_close(means[1], PixelCodec().encode(images.of_class(1)).mean(0))
    assert means.shape == (4, 1, 8, 8)


def test_class_means_of_an_autoencoder_are_encoded_once(kl, colour, tmp_path, monkeypatch):
    ctx = context(tmp_path)
    first = class_means(kl, colour, ctx)
    torch.testing.assert_close(first[1], kl.encode(colour.of_class(1)).mean(0), rtol=1e-4, atol=1e-5)
    monkeypatch.setattr(type(kl), "moments", lambda *_: pytest.fail("encoded again"))
    assert torch.equal(class_means(kl, colour, ctx), first)


def test_a_prior_is_trained_in_the_latents_of_an_autoencoder(colour, tmp_path):
    folder = tmp_path / "vae"
    tiny_pipeline().vae.save_pretrained(folder)
    prior = ScratchPrior(autoencoder=KLAutoencoder(str(folder)), width=16, layers=1, heads=1)
    short = dataclasses.replace(prior, training=dataclasses.replace(prior.training, steps=2, batch=4))
    model = short.run(colour, None, context(tmp_path))
    assert model.latent_shape == (4, 8, 8)
    (tmp_path / "prior").mkdir()
    short.save(model, tmp_path / "prior")
    again = short.load(tmp_path / "prior", None, context(tmp_path))
    assert again.encoder.identity() == model.encoder.identity()
