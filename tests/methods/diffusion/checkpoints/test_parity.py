"""What is honoured draws the same pixels as diffusers' DiTPipeline, from the same noise."""

import dataclasses

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from safetensors.torch import load_file, save_file

from ddbench.data.imagenet_subsets import NETTE_WNIDS as WNIDS
from ddbench.methods.diffusion.model import noise_of, own_weight
from ddbench.methods.diffusion.priors.pretrained import PretrainedDiT
from ddbench.methods.diffusion.sampler import Sampler
from ddbench.types import StageContext
from tests.support.pipelines import drawn_by_diffusers, tiny_pipeline
from tests.support.sampled import sampled

CONVENTION = Sampler(kind="ddim", spacing="leading", steps=5, guidance_scale=4.0, guided_channels=0)
"""DiTPipeline's"""
NAMES, IDS = (WNIDS[2], WNIDS[0]), (482, 0)


def load(source, **fields):
    return PretrainedDiT(source=str(source), **fields).run(None, None, StageContext(seed=0))


def ours(source, sampler=CONVENTION):
    model = load(source)
    return model.decoder.decode(sampled(model, NAMES, 2, sampler, seed=4).flatten(0, 1))


def theirs(source, scale=4.0):
    return drawn_by_diffusers(source, NAMES, IDS, 2, seed=4, guidance_scale=scale, num_inference_steps=5)


def ddim(**config):
    return DDIMScheduler(clip_sample=False, **config)


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"scheduler": ddim(prediction_type="v_prediction")},
        {"scheduler": ddim(prediction_type="sample")},
        {"scheduler": ddim(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, steps_offset=1)},
        {"scheduler": ddim(beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction")},
        {"channels": 16},
        {"tiny": True},
        {"dit": {"out_channels": 4}},
    ],
    ids=["epsilon", "v", "sample", "scaled-linear", "cosine-v", "16-channels", "AutoencoderTiny", "no-variance"],
)
def test_what_is_honoured_equals_diffusers_own_pipeline_pixel_for_pixel(tmp_path, parts):
    tiny_pipeline(**parts).save_pretrained(tmp_path)
    expected = theirs(tmp_path)
    assert torch.equal(ours(tmp_path), expected)
    assert expected.float().std() > 5  # no flat images, which would be equal whatever was drawn


def test_unguided_sampling_equals_it_too(tmp_path):
    tiny_pipeline(scheduler=ddim(prediction_type="v_prediction")).save_pretrained(tmp_path)
    unguided = dataclasses.replace(CONVENTION, guidance_scale=1.0)
    assert torch.equal(ours(tmp_path, unguided), theirs(tmp_path, scale=1.0))


@pytest.mark.parametrize(
    "how",
    [{"variant": "fp16"}, {"safe_serialization": False}, {"max_shard_size": "20KB"}],
    ids=["variant", "bin", "sharded"],
)
def test_all_ways_to_save_a_pipeline_load_as_the_same_weights(tmp_path, how):
    pipeline = tiny_pipeline()
    pipeline.save_pretrained(tmp_path, **how)
    found = load(tmp_path).transformer.state_dict()
    assert all(torch.equal(found[name], own) for name, own in pipeline.transformer.state_dict().items())


def test_half_precision_becomes_float32_of_the_same_values(tmp_path):
    half = tiny_pipeline().to(torch.float16)
    half.save_pretrained(tmp_path, variant="fp16")
    model = load(tmp_path)
    expected = half.transformer.state_dict()
    for name, tensor in model.transformer.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, expected[name].float())
    assert {p.dtype for p in model.encoder.vae.parameters()} == {torch.float32}


def test_the_former_class_name_and_the_former_names_of_attention_load(tmp_path):
    """facebook/DiT-XL-2-256 says Transformer2DModel, and its autoencoder has query, key, value and proj_attn."""
    import json

    tiny_pipeline().save_pretrained(tmp_path)
    expected = theirs(tmp_path)
    path = tmp_path / "transformer" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "_class_name": "Transformer2DModel"}))
    path = tmp_path / "vae" / "diffusion_pytorch_model.safetensors"
    former = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    weights = load_file(path)
    for new, old in former.items():
        weights = {name.replace(f".{new}.", f".{old}."): tensor for name, tensor in weights.items()}
    assert any(".query." in name for name in weights)
    save_file(weights, path)
    assert torch.equal(ours(tmp_path), expected)


@pytest.mark.parametrize("prediction", ["v_prediction", "sample"])
def test_fine_tuning_minimises_the_error_of_what_the_network_predicts(prediction):
    """The error of eps times its weight is the error of the network's own output, at every noise level."""
    random = torch.Generator().manual_seed(0)
    x0, eps, output = (torch.randn(6, 3, 4, 4, generator=random, dtype=torch.float64) for _ in range(3))
    abar = torch.linspace(0.02, 0.98, 6, dtype=torch.float64).view(-1, 1, 1, 1)
    x = abar.sqrt() * x0 + (1 - abar).sqrt() * eps
    scheduler = DDPMScheduler(prediction_type=prediction)
    target = x0
    if prediction == "v_prediction":
        scheduler.alphas_cumprod = abar.flatten()
        target = scheduler.get_velocity(x0, eps, torch.arange(6))
    torch.testing.assert_close(noise_of(prediction, target, x, abar), eps)
    found = (noise_of(prediction, output, x, abar) - eps).square() * own_weight(prediction, abar)
    torch.testing.assert_close(found, (output - target).square())
