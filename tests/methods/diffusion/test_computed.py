"""Precision and compilation of sampling and of autoencoders: what changes, by how much, and what is as before after."""

from dataclasses import replace

import pytest
import torch
from diffusers import AutoencoderKL, AutoencoderTiny, DDPMScheduler

from ddbench import computing
from ddbench.methods.diffusion.codec import DiffusersCodec, PixelCodec
from ddbench.methods.diffusion.method import Diffusion
from ddbench.methods.diffusion.model import DiffusionModel, new_transformer
from ddbench.methods.diffusion.sampler import Sampler
from ddbench.types import LabeledImages, StageContext
from tests.support.pipelines import KL, TINY, seeded

NAMES = ("a", "b")
SAMPLER = Sampler(steps=6, guidance_scale=2.0, clip_x0=True)


@pytest.fixture
def model():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = new_transformer(width=16, layers=3, heads=2, patch=2, channels=1, size=8, num_classes=2).eval()
        for parameter in network.parameters():  # a new one starts at zero
            parameter.data.add_(0.05 * torch.randn(parameter.shape))
    scheduler = DDPMScheduler(clip_sample=False)
    return DiffusionModel(network, scheduler, NAMES, PixelCodec(), PixelCodec())


@pytest.fixture
def real():
    levels = torch.randint(0, 256, (4, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return LabeledImages(levels, torch.tensor([0, 0, 1, 1]), NAMES)


def drawn(model, real, **options):
    return Diffusion(sampler=replace(SAMPLER, **options)).distill(real, model, 3, StageContext(seed=0)).images


def test_bf16_moves_sampled_images_by_a_few_grey_levels_and_leaves_the_weights_as_they_were(model, real):
    before = {name: p.detach().clone() for name, p in model.transformer.named_parameters()}
    exact = drawn(model, real)
    rounded = drawn(model, real, precision="bf16")
    moved = (exact.int() - rounded.int()).abs().float()
    assert 0 < moved.mean() < 4  # of 255; the network rounds to 8 bits, and errors of 6 steps add up
    assert all(torch.equal(p, before[name]) for name, p in model.transformer.named_parameters())
    assert torch.equal(drawn(model, real), exact)


def test_bf16_casts_the_weights_once_and_nothing_but_the_network(model, real):
    seen = []
    block = model.transformer.transformer_blocks[0]
    block.register_forward_hook(
        lambda *_: seen.append((block.attn1.to_q.weight.dtype, block.attn1.to_q.weight.data_ptr()))
    )
    drawn(model, real, precision="bf16")
    assert {dtype for dtype, _ in seen} == {torch.bfloat16}
    assert len({place for _, place in seen}) == 1
    with model.computed("bf16", "none"):
        noise, _ = model.predict(torch.zeros(1, 1, 8, 8), torch.tensor([5]), torch.tensor([0]))
    assert noise.dtype == torch.float32


def test_weights_of_tuned_classes_are_cast_too_and_the_active_ones_remembered(model, real):
    weights = {name: p.detach() + 0.02 for name, p in model.transformer.named_parameters()}
    model.tuned = [(("a",), weights), (("b",), {name: w - 0.04 for name, w in weights.items()})]
    exact, rounded = drawn(model, real), drawn(model, real, precision="bf16")
    assert 0 < (exact.int() - rounded.int()).abs().float().mean() < 4
    assert torch.equal(drawn(model, real), exact)


def test_tf32_is_on_in_the_network_alone(model, real, monkeypatch):
    inside, outside = [], []
    block = model.transformer.transformer_blocks[0]
    block.register_forward_hook(lambda *_: inside.append(torch.backends.cuda.matmul.allow_tf32))
    from ddbench.methods.diffusion import sampler

    moments = sampler.predicted_x0
    monkeypatch.setattr(
        sampler, "predicted_x0", lambda *a: (outside.append(torch.backends.cuda.matmul.allow_tf32), moments(*a))[1]
    )
    drawn(model, real, precision="tf32")
    assert set(inside) == {True} and set(outside) == {False}


@pytest.mark.parametrize("cls", [AutoencoderKL, AutoencoderTiny])
def test_an_autoencoder_in_bf16_stays_near_and_names_its_latents_otherwise(cls, real):
    config = KL if cls is AutoencoderKL else TINY
    images = real.images.expand(4, 3, 8, 8)
    exact, rounded = DiffusersCodec(seeded(cls, **config)), DiffusersCodec(seeded(cls, **config), "bf16")
    latents, near = exact.encode(images), rounded.encode(images)
    assert near.dtype == torch.float32
    assert 0 < (latents - near).abs().max() < 0.05 * latents.abs().max()
    moved = (exact.decode(latents).int() - rounded.decode(latents).int()).abs()
    assert 0 < moved.float().mean() < 2 and moved.max() < 12
    names = {DiffusersCodec(seeded(cls, **config), *how).identity() for how in (("fp32",), ("tf32",), ("bf16",))}
    assert len(names) == 3


def test_blocks_are_compiled_one_by_one_within_the_sampling_alone(model, real, monkeypatch):
    compiled = []

    def backend(graph, inputs):
        compiled.append(len(inputs))
        return graph.forward

    monkeypatch.setattr(computing, "BACKEND", backend)
    exact = drawn(model, real)
    assert not compiled
    assert torch.equal(drawn(model, real, compile="blocks"), exact)
    assert len(compiled) == 2, "one for the first block, whose input lies otherwise in memory, one for all others"
    assert all(block._compiled_call_impl is None for block in model.transformer.transformer_blocks)
