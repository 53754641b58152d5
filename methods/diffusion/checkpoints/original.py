"""Checkpoints of the original DiT code (Peebles & Xie 2023), such as DiT-XL-2-256x256.pt, as a DiT of diffusers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddbench.errors import BenchError
from ddbench.methods.diffusion.checkpoints.layouts import DIT
from ddbench.weights import Shapes, differences, read_weights, shapes_of

if TYPE_CHECKING:
    import torch

HEADS = {384: 6, 768: 12, 1024: 16, 1152: 16}
"""width -> attention heads of DiT-S, B, L and XL (``models.py``); the weights do not tell"""

FREQUENCIES = 256
"""inputs of the timestep MLP"""

ONCE = {
    "x_embedder.proj": "pos_embed.proj",
    "final_layer.adaLN_modulation.1": "proj_out_1",
    "final_layer.linear": "proj_out_2",
}
"""layer there -> layer in diffusers"""
SHARED = {
    "t_embedder.mlp.0": "norm1.emb.timestep_embedder.linear_1",
    "t_embedder.mlp.2": "norm1.emb.timestep_embedder.linear_2",
    "y_embedder.embedding_table": "norm1.emb.class_embedder.embedding_table",
}
"""the same, of layers that diffusers repeats in each block"""
IN_BLOCK = {
    "adaLN_modulation.1": "norm1.linear",
    "attn.proj": "attn1.to_out.0",
    "mlp.fc1": "ff.net.0.proj",
    "mlp.fc2": "ff.net.2",
}
"""the same, of a block; ``attn.qkv`` becomes three layers"""


def config_of(shapes: Shapes, heads: int, where: Path, option: str) -> dict[str, Any]:
    """The configuration of diffusers for weights of these names and shapes; ``heads``: 0 for those of ``HEADS``.

    Raises BenchError when they are not those of a DiT, naming the first that are wrong.
    """
    first, positions = shapes.get("x_embedder.proj.weight"), shapes.get("pos_embed")
    table, last = shapes.get("y_embedder.embedding_table.weight"), shapes.get("final_layer.linear.weight")
    if not (first and positions and table and last) or len(first) != 4 or len(positions) != 3:
        raise BenchError(
            f"{where} is no checkpoint of the original DiT code, which has x_embedder.proj.weight, pos_embed, "
            f"y_embedder.embedding_table.weight and final_layer.linear.weight; it has {', '.join(list(shapes)[:3])} ..."
        )
    width, channels, patch = first[0], first[1], first[2]
    blocks = [int(found[1]) for name in shapes if (found := re.match(r"blocks\.(\d+)\.", name))]
    heads = heads or HEADS.get(width, 0)
    if not heads or width % heads:
        raise BenchError(
            f"{where} has width {width}, which "
            + (f"{heads} attention heads do not divide" if heads else "is none of DiT-S, B, L or XL")
            + f": say how many heads it has with --set {option}.heads=N"
        )
    config = {
        "_class_name": DIT[0],
        "num_attention_heads": heads,
        "attention_head_dim": width // heads,
        "in_channels": channels,
        "out_channels": last[0] // patch**2,
        "num_layers": max(blocks, default=-1) + 1,
        "sample_size": math.isqrt(positions[1]) * patch,
        "patch_size": patch,
        "num_embeds_ada_norm": table[0] - 1,
        "norm_eps": 1e-6,
    }
    if wrong := differences(shapes, dict(_layout(config, positions[1]))):
        raise BenchError(f"the weights in {where} are not those of the original DiT code: {wrong}.")
    return config


def _layout(config: Mapping[str, Any], positions: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    width, patch = config["num_attention_heads"] * config["attention_head_dim"], config["patch_size"]

    def linear(name: str, inputs: int, outputs: int) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield f"{name}.weight", (outputs, inputs)
        yield f"{name}.bias", (outputs,)

    yield "x_embedder.proj.weight", (width, config["in_channels"], patch, patch)
    yield "x_embedder.proj.bias", (width,)
    yield "pos_embed", (1, positions, width)
    yield "y_embedder.embedding_table.weight", (config["num_embeds_ada_norm"] + 1, width)
    yield from linear("t_embedder.mlp.0", FREQUENCIES, width)
    yield from linear("t_embedder.mlp.2", width, width)
    for i in range(config["num_layers"]):
        yield from linear(f"blocks.{i}.attn.qkv", width, 3 * width)
        yield from linear(f"blocks.{i}.attn.proj", width, width)
        yield from linear(f"blocks.{i}.mlp.fc1", width, 4 * width)
        yield from linear(f"blocks.{i}.mlp.fc2", 4 * width, width)
        yield from linear(f"blocks.{i}.adaLN_modulation.1", width, 6 * width)
    yield from linear("final_layer.adaLN_modulation.1", width, 2 * width)
    yield from linear("final_layer.linear", width, patch * patch * config["out_channels"])


def look_at_original(path: Path, heads: int, option: str, light: bool) -> dict[str, Any] | None:
    """The configuration of the checkpoint ``path``; None where it cannot be read ``light``. Raises BenchError."""
    shapes = shapes_of(path, light, averaged=True)
    return None if shapes is None else config_of(shapes, heads, path, option)


def load_original(path: Path, heads: int, option: str) -> Any:
    """The checkpoint as a DiTTransformer2DModel that computes what the original code does: float32, on the CPU, in
    evaluation mode. Of a training checkpoint the moving average is taken, as the original ``find_model`` does.

    Two things differ in diffusers and are set as in the original: the frequencies of the timestep fall by the number
    of frequencies and not by one less, and the norms add 1e-6. Raises BenchError.
    """
    import torch
    from diffusers import DiTTransformer2DModel

    weights = read_weights(path, averaged=True)
    config = config_of({name: tuple(tensor.shape) for name, tensor in weights.items()}, heads, path, option)
    model = DiTTransformer2DModel.from_config(config)
    model.load_state_dict(to_diffusers(weights))
    for block in model.transformer_blocks:
        block.norm1.emb.time_proj.downscale_freq_shift = 0
    own = model.pos_embed.pos_embed
    if not torch.allclose(weights["pos_embed"].float(), own.float(), atol=1e-3):  # float16 rounds by half as much
        raise BenchError(f"{path} has other position embeddings than DiT's sines and cosines, which is not honoured.")
    return model.float().eval()


def to_diffusers(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights under the names of diffusers, float32; position embeddings, which it computes, are left out."""
    found: dict[str, torch.Tensor] = {}
    blocks = {name.split(".")[1] for name in weights if name.startswith("blocks.")}
    for name, tensor in weights.items():
        layer, _, kind = name.rpartition(".")
        if layer in ONCE:
            found[f"{ONCE[layer]}.{kind}"] = tensor.float()
        elif layer in SHARED:
            found |= {f"transformer_blocks.{i}.{SHARED[layer]}.{kind}": tensor.float() for i in blocks}
        elif name != "pos_embed":
            _, i, inside = layer.split(".", 2)
            block = f"transformer_blocks.{i}"
            if inside == "attn.qkv":
                for which, part in zip("qkv", tensor.float().chunk(3), strict=True):
                    found[f"{block}.attn1.to_{which}.{kind}"] = part.clone()
            else:
                found[f"{block}.{IN_BLOCK[inside]}.{kind}"] = tensor.float()
    return found
