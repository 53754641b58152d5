"""Checkpoints of the original DiT code: the same network as in diffusers, and the mathematics of that code."""

import argparse
import math

import pytest
import torch
import torch.nn.functional as F
from diffusers import DiTTransformer2DModel
from safetensors.torch import save_file

from ddbench.data.imagenet_subsets import NETTE_WNIDS as WNIDS
from ddbench.errors import BenchError
from ddbench.methods.diffusion.checkpoints.original import load_original, look_at_original, to_diffusers
from ddbench.methods.diffusion.priors.pretrained import PretrainedDiT
from ddbench.methods.diffusion.priors.prior import KLAutoencoder
from ddbench.methods.diffusion.priors.schedule import NoiseSchedule
from ddbench.types import DataFacts, StageContext
from tests.support.pipelines import DIT, seeded, tiny_pipeline

OPTION = "methods.diffusion.prior"
WIDTH, HEADS, LAYERS, PATCH, CHANNELS = 16, 2, 4, 2, 4


@pytest.fixture(scope="module")
def weights():
    return original_names(seeded(DiTTransformer2DModel, **DIT))


def original_names(model):
    """The weights of a DiT of diffusers as the original code names them."""
    own = model.state_dict()
    found = {"pos_embed": positions(math.isqrt(model.pos_embed.pos_embed.shape[1]))}

    def take(name, there):
        for kind in ("weight", "bias"):
            if f"{there}.{kind}" in own:
                found[f"{name}.{kind}"] = own[f"{there}.{kind}"]

    take("x_embedder.proj", "pos_embed.proj")
    first = "transformer_blocks.0.norm1.emb"
    take("t_embedder.mlp.0", f"{first}.timestep_embedder.linear_1")
    take("t_embedder.mlp.2", f"{first}.timestep_embedder.linear_2")
    take("y_embedder.embedding_table", f"{first}.class_embedder.embedding_table")
    take("final_layer.adaLN_modulation.1", "proj_out_1")
    take("final_layer.linear", "proj_out_2")
    for i in range(len(model.transformer_blocks)):
        block = f"transformer_blocks.{i}"
        take(f"blocks.{i}.adaLN_modulation.1", f"{block}.norm1.linear")
        take(f"blocks.{i}.attn.proj", f"{block}.attn1.to_out.0")
        take(f"blocks.{i}.mlp.fc1", f"{block}.ff.net.0.proj")
        take(f"blocks.{i}.mlp.fc2", f"{block}.ff.net.2")
        for kind in ("weight", "bias"):
            parts = [own[f"{block}.attn1.to_{which}.{kind}"] for which in "qkv"]
            found[f"blocks.{i}.attn.qkv.{kind}"] = torch.cat(parts)
    return found


def positions(side):
    """Sines and cosines of the column, then of the row, of each patch: (1, side * side, WIDTH)."""
    frequencies = 10_000.0 ** -(torch.arange(WIDTH // 4) / (WIDTH // 4))
    row, column = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    angles = [place.flatten()[:, None] * frequencies for place in (column, row)]
    return torch.cat([wave for angle in angles for wave in (angle.sin(), angle.cos())], 1)[None]


def reference(w, x, t, y):
    """DiT as its paper states it (Peebles & Xie 2023, section 3.2, adaLN-zero), written from the formulas."""
    linear = lambda name, z: F.linear(z, w[f"{name}.weight"], w[f"{name}.bias"])  # noqa: E731
    norm = lambda z: F.layer_norm(z, (WIDTH,), eps=1e-6)  # noqa: E731
    angles = t[:, None] * torch.exp(-math.log(10_000) * torch.arange(128) / 128)
    waves = torch.cat([angles.cos(), angles.sin()], 1)
    c = (
        linear("t_embedder.mlp.2", F.silu(linear("t_embedder.mlp.0", waves)))
        + w["y_embedder.embedding_table.weight"][y]
    )
    z = F.conv2d(x, w["x_embedder.proj.weight"], w["x_embedder.proj.bias"], stride=PATCH).flatten(2).transpose(1, 2)
    z = z + w["pos_embed"]
    for i in range(LAYERS):
        parts = linear(f"blocks.{i}.adaLN_modulation.1", F.silu(c))[:, None].chunk(6, -1)
        shift, scale, gate, shift_mlp, scale_mlp, gate_mlp = parts
        q, k, v = linear(f"blocks.{i}.attn.qkv", norm(z) * (1 + scale) + shift).chunk(3, -1)
        q, k, v = (part.unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in (q, k, v))
        attention = (q @ k.transpose(-1, -2) / math.sqrt(WIDTH // HEADS)).softmax(-1) @ v
        z = z + gate * linear(f"blocks.{i}.attn.proj", attention.transpose(1, 2).flatten(2))
        hidden = F.gelu(linear(f"blocks.{i}.mlp.fc1", norm(z) * (1 + scale_mlp) + shift_mlp), approximate="tanh")
        z = z + gate_mlp * linear(f"blocks.{i}.mlp.fc2", hidden)
    shift, scale = linear("final_layer.adaLN_modulation.1", F.silu(c))[:, None].chunk(2, -1)
    z = linear("final_layer.linear", norm(z) * (1 + scale) + shift)
    side = math.isqrt(z.shape[1])
    z = z.view(len(x), side, side, PATCH, PATCH, -1)
    return torch.einsum("nhwpqc->nchpwq", z).reshape(len(x), -1, side * PATCH, side * PATCH)


def inputs():
    random = torch.Generator().manual_seed(1)
    return torch.randn(3, CHANNELS, 8, 8, generator=random), torch.tensor([0, 417, 999]), torch.tensor([0, 217, 1000])


def file_of(folder, content, name="DiT.pt"):
    torch.save(content, folder / name)
    return folder / name


def test_it_computes_what_the_original_code_computes(weights, tmp_path):
    x, t, y = inputs()
    model = load_original(file_of(tmp_path, weights), HEADS, OPTION)
    with torch.no_grad():
        torch.testing.assert_close(model(x, t, y).sample, reference(weights, x, t, y), rtol=1e-4, atol=1e-5)


def test_diffusers_own_timestep_frequencies_would_give_another_network(weights, tmp_path):
    """Diffusers divides the exponents by one frequency less, which moves predictions far beyond rounding."""
    x, t, y = inputs()
    model = load_original(file_of(tmp_path, weights), HEADS, OPTION)
    expected = reference(weights, x, t, y)
    for block in model.transformer_blocks:
        block.norm1.emb.time_proj.downscale_freq_shift = 1
    with torch.no_grad():
        assert (model(x, t, y).sample - expected).abs().max() > 1e-3


def test_names_there_and_back_are_the_same_weights(weights):
    own = seeded(DiTTransformer2DModel, **DIT).state_dict()
    found = to_diffusers(weights)
    assert found.keys() == own.keys()
    embedders = [name for name in own if ".norm1.emb." in name and not name.startswith("transformer_blocks.0.")]
    first = {name: f"transformer_blocks.0.{name.split('.', 2)[2]}" for name in embedders}  # the original has one
    assert all(torch.equal(found[name], own[first.get(name, name)]) for name in own)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda w: w,
        lambda w: {name: tensor.half() for name, tensor in w.items()},
        lambda w: {"model": {n: t + 1 for n, t in w.items()}, "ema": w, "args": argparse.Namespace(model="DiT-XL/2")},
        lambda w: {"state_dict": {f"module.{name}": tensor for name, tensor in w.items()}},
    ],
    ids=["plain", "half", "training", "module"],
)
def test_checkpoints_load_however_they_are_wrapped(weights, tmp_path, wrap):
    """A training checkpoint holds its options, and the average is sampled from."""
    file = file_of(tmp_path, wrap(weights))
    assert look_at_original(file, HEADS, OPTION, light=True) is None
    assert look_at_original(file, HEADS, OPTION, light=False)["num_layers"] == LAYERS
    model = load_original(file, HEADS, OPTION)
    torch.testing.assert_close(model.proj_out_2.weight, weights["final_layer.linear.weight"], rtol=1e-3, atol=1e-3)
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_a_prior_is_made_of_it_with_autoencoder_and_schedule_beside_it(weights, tmp_path):
    tiny_pipeline().save_pretrained(tmp_path / "pipeline")
    prior = PretrainedDiT(
        source=str(file_of(tmp_path, weights)),
        encoder=KLAutoencoder(str(tmp_path / "pipeline" / "vae")),
        schedule=NoiseSchedule(),
        heads=HEADS,
    )
    assert list(prior.problems(DataFacts("nette", WNIDS, (3, 16, 16)))) == []
    model = prior.run(None, None, StageContext(seed=0))
    assert model.decoder is model.encoder
    assert model.latent_shape == (4, 8, 8)
    assert model.learns_variance
    torch.testing.assert_close(model.alphas_cumprod[-1], (1 - torch.linspace(1e-4, 0.02, 1000)).prod())
    x, t, y = inputs()
    with torch.no_grad():
        noise, variance = model.predict(x, t, y)
    torch.testing.assert_close(torch.cat([noise, variance], 1), reference(weights, x, t, y), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"blocks.3.mlp.fc2.bias": None}, r"they lack blocks\.3\.mlp\.fc2\.bias"),
        ({"x_embedder.proj.weight": None}, "is no checkpoint of the original DiT code"),
        ({"blocks.0.gamma1": torch.zeros(16)}, r"have the unknown blocks\.0\.gamma1"),
        ({"blocks.1.attn.proj.bias": torch.zeros(8)}, r"blocks\.1\.attn\.proj\.bias of shape 8 in place of 16"),
        ({"pos_embed": torch.zeros(1, 16, 16)}, "other position embeddings"),
    ],
    ids=["missing", "foreign", "unexpected", "shape", "positions"],
)
def test_other_weights_are_refused_by_name(weights, tmp_path, change, says):
    changed = {name: tensor for name, tensor in {**weights, **change}.items() if tensor is not None}
    with pytest.raises(BenchError, match=says):
        load_original(file_of(tmp_path, changed), HEADS, OPTION)


def test_what_a_file_lacks_is_named_before_it_is_loaded(weights, tmp_path):
    save_file(weights, tmp_path / "dit.safetensors")
    data = DataFacts("nette", WNIDS, (3, 32, 32), light=True)
    encoder, schedule, heads = PretrainedDiT(source=str(tmp_path / "dit.safetensors")).problems(data)
    assert "--set methods.diffusion.prior.encoder.type=KLAutoencoder" in encoder
    assert "--set methods.diffusion.prior.schedule=NoiseSchedule" in schedule
    assert "none of DiT-S, B, L or XL: say how many heads it has with --set methods.diffusion.prior.heads=N" in heads
