"""Names and shapes of the weights of diffusers' models by their configuration alone, without torch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Weight = tuple[str, tuple[int, ...]]

DIT = ("DiTTransformer2DModel", "Transformer2DModel")
"""the class of a DiT, and the one that it had before diffusers 0.29"""


def layout_of(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]] | None:
    """Name -> shape for a DiT, an AutoencoderKL or an AutoencoderTiny; None for other classes and unusual blocks."""
    known = {**dict.fromkeys(DIT, _dit), "AutoencoderKL": _kl, "AutoencoderTiny": _tiny}
    layout = known.get(str(config.get("_class_name")))
    try:
        return dict(layout(config)) if layout else None
    except _Unusual:
        return None


class _Unusual(Exception):
    """A configuration with parts that are not known here."""


def renamed(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """``shapes`` with today's names of an autoencoder's attention; diffusers renames the former ones as it loads."""
    new = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
    former = re.compile(rf"(.*\.attentions\.\d+\.)({'|'.join(new)})(\.\w+)")

    def name_now(name: str) -> str:
        parts = former.fullmatch(name)
        return f"{parts[1]}{new[parts[2]]}{parts[3]}" if parts else name

    return {name_now(name): shape for name, shape in shapes.items()}


def _linear(name: str, inputs: int, outputs: int, bias: bool = True) -> Iterator[Weight]:
    yield f"{name}.weight", (outputs, inputs)
    if bias:
        yield f"{name}.bias", (outputs,)


def _conv(name: str, inputs: int, outputs: int, side: int, bias: bool = True) -> Iterator[Weight]:
    yield f"{name}.weight", (outputs, inputs, side, side)
    if bias:
        yield f"{name}.bias", (outputs,)


def _norm(name: str, channels: int) -> Iterator[Weight]:
    yield f"{name}.weight", (channels,)
    yield f"{name}.bias", (channels,)


def _dit(config: Mapping[str, Any]) -> Iterator[Weight]:
    if config.get("activation_fn", "gelu-approximate") not in ("gelu", "gelu-approximate"):
        raise _Unusual
    width = config.get("num_attention_heads", 16) * config.get("attention_head_dim", 72)
    patch, channels = config.get("patch_size", 2), config.get("in_channels", 4)
    yield from _conv("pos_embed.proj", channels, width, patch)
    for i in range(config.get("num_layers", 28)):
        block, embedder = f"transformer_blocks.{i}", f"transformer_blocks.{i}.norm1.emb"
        yield from _linear(f"{embedder}.timestep_embedder.linear_1", 256, width)
        yield from _linear(f"{embedder}.timestep_embedder.linear_2", width, width)
        classes = config.get("num_embeds_ada_norm", 1000)
        yield f"{embedder}.class_embedder.embedding_table.weight", (classes + 1, width)
        yield from _linear(f"{block}.norm1.linear", width, 6 * width)
        for layer in ("to_q", "to_k", "to_v"):
            yield from _linear(f"{block}.attn1.{layer}", width, width, config.get("attention_bias", True))
        yield from _linear(f"{block}.attn1.to_out.0", width, width)
        if config.get("norm_elementwise_affine", False):
            yield from _norm(f"{block}.norm3", width)
        yield from _linear(f"{block}.ff.net.0.proj", width, 4 * width)
        yield from _linear(f"{block}.ff.net.2", 4 * width, width)
    yield from _linear("proj_out_1", width, 2 * width)
    yield from _linear("proj_out_2", width, patch * patch * (config.get("out_channels") or channels))


def _kl(config: Mapping[str, Any]) -> Iterator[Weight]:
    downs = config.get("down_block_types", ["DownEncoderBlock2D"])
    ups = config.get("up_block_types", ["UpDecoderBlock2D"])
    if {*downs} != {"DownEncoderBlock2D"} or {*ups} != {"UpDecoderBlock2D"}:
        raise _Unusual
    widths, layers = list(config.get("block_out_channels", [64])), config.get("layers_per_block", 1)
    latents, attention = config.get("latent_channels", 4), config.get("mid_block_add_attention", True)
    yield from _conv("encoder.conv_in", config.get("in_channels", 3), widths[0], 3)
    before = widths[0]
    for i, width in enumerate(widths):
        for j in range(layers):
            yield from _resnet(f"encoder.down_blocks.{i}.resnets.{j}", before if j == 0 else width, width)
        if i < len(widths) - 1:
            yield from _conv(f"encoder.down_blocks.{i}.downsamplers.0.conv", width, width, 3)
        before = width
    yield from _middle("encoder", widths[-1], attention)
    yield from _norm("encoder.conv_norm_out", widths[-1])
    yield from _conv("encoder.conv_out", widths[-1], 2 * latents, 3)
    yield from _conv("decoder.conv_in", latents, widths[-1], 3)
    yield from _middle("decoder", widths[-1], attention)
    before = widths[-1]
    for i, width in enumerate(reversed(widths)):
        for j in range(layers + 1):
            yield from _resnet(f"decoder.up_blocks.{i}.resnets.{j}", before if j == 0 else width, width)
        if i < len(widths) - 1:
            yield from _conv(f"decoder.up_blocks.{i}.upsamplers.0.conv", width, width, 3)
        before = width
    yield from _norm("decoder.conv_norm_out", widths[0])
    yield from _conv("decoder.conv_out", widths[0], config.get("out_channels", 3), 3)
    if config.get("use_quant_conv", True):
        yield from _conv("quant_conv", 2 * latents, 2 * latents, 1)
    if config.get("use_post_quant_conv", True):
        yield from _conv("post_quant_conv", latents, latents, 1)


def _resnet(name: str, inputs: int, outputs: int) -> Iterator[Weight]:
    yield from _norm(f"{name}.norm1", inputs)
    yield from _conv(f"{name}.conv1", inputs, outputs, 3)
    yield from _norm(f"{name}.norm2", outputs)
    yield from _conv(f"{name}.conv2", outputs, outputs, 3)
    if inputs != outputs:
        yield from _conv(f"{name}.conv_shortcut", inputs, outputs, 1)


def _middle(half: str, width: int, attention: bool) -> Iterator[Weight]:
    for j in range(2):
        yield from _resnet(f"{half}.mid_block.resnets.{j}", width, width)
    if attention:
        yield from _norm(f"{half}.mid_block.attentions.0.group_norm", width)
        for layer in ("to_q", "to_k", "to_v", "to_out.0"):
            yield from _linear(f"{half}.mid_block.attentions.0.{layer}", width, width)


def _tiny(config: Mapping[str, Any]) -> Iterator[Weight]:
    latents, channels = config.get("latent_channels", 4), config.get("in_channels", 3)
    widths = list(config.get("encoder_block_out_channels", [64] * 4))
    layer, before = 0, channels
    for i, (blocks, width) in enumerate(zip(config.get("num_encoder_blocks", [1, 3, 3, 3]), widths, strict=True)):
        yield from _conv(f"encoder.layers.{layer}", before if i == 0 else width, width, 3, bias=i == 0)
        layer += 1
        for _ in range(blocks):
            yield from _tiny_block(f"encoder.layers.{layer}", width)
            layer += 1
    yield from _conv(f"encoder.layers.{layer}", widths[-1], latents, 3)
    widths = list(config.get("decoder_block_out_channels", [64] * 4))
    yield from _conv("decoder.layers.0", latents, widths[0], 3)
    layer, counts = 2, list(config.get("num_decoder_blocks", [3, 3, 3, 1]))  # layer 1 is the activation
    for i, (blocks, width) in enumerate(zip(counts, widths, strict=True)):
        for _ in range(blocks):
            yield from _tiny_block(f"decoder.layers.{layer}", width)
            layer += 1
        last = i == len(counts) - 1
        layer += not last  # upsampling
        yield from _conv(
            f"decoder.layers.{layer}", width, config.get("out_channels", 3) if last else width, 3, bias=last
        )
        layer += 1


def _tiny_block(name: str, width: int) -> Iterator[Weight]:
    for i in (0, 2, 4):
        yield from _conv(f"{name}.conv.{i}", width, width, 3)
