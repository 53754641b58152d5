"""Which weights fine-tuning changes. Whatever is added for it is merged into the weights afterwards, so that a tuned
model has the layout of the prior and no trace of how it was tuned."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from ddbench.methods.diffusion.training.options import FineTuning

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
"""layers of a block's attention that LoRA updates"""

Trainable = tuple[list[nn.Parameter], list[str]]
"""the parameters to optimise, and the names of all weights that end changed"""


@contextmanager
def trainable(transformer: Any, options: FineTuning) -> Iterator[Trainable]:
    """Make trainable what ``options.parameters`` says; all weights are trainable again afterwards."""
    transformer.requires_grad_(False)
    way = {"full": _full, "difffit": _difffit, "lora": _lora}[options.parameters]
    try:
        with way(transformer, options) as chosen:
            yield chosen
    finally:
        transformer.requires_grad_(True)


@contextmanager
def _full(transformer: Any, options: FineTuning) -> Iterator[Trainable]:
    transformer.requires_grad_(True)
    yield list(transformer.parameters()), [name for name, _ in transformer.named_parameters()]


@contextmanager
def _difffit(transformer: Any, options: FineTuning) -> Iterator[Trainable]:
    """Biases and class embeddings, and gamma (starting at 1) on the outputs of attention and MLP in the first half of
    the blocks, folded into the linear layers that it scales."""
    named = dict(transformer.named_parameters())
    # The blocks' norms have no weights of their own; the modulation that replaces them counts by its bias alone.
    chosen = [n for n in named if n.endswith(".bias") or "class_embedder.embedding_table" in n]
    for name in chosen:
        named[name].requires_grad_(True)
    blocks = list(transformer.transformer_blocks)[: len(transformer.transformer_blocks) // 2]
    layers = [layer for block in blocks for layer in (block.attn1.to_out[0], block.ff.net[-1])]
    gammas = [nn.Parameter(torch.ones(layer.out_features, device=layer.weight.device)) for layer in layers]
    hooks = [
        layer.register_forward_hook(lambda module, inputs, output, gamma=gamma: output * gamma)
        for layer, gamma in zip(layers, gammas, strict=True)
    ]
    scaled = {id(layer.weight) for layer in layers}
    folded = [name for name, p in named.items() if id(p) in scaled]
    try:
        yield [named[name] for name in chosen] + gammas, chosen + folded
        with torch.no_grad():
            for layer, gamma in zip(layers, gammas, strict=True):
                layer.weight.mul_(gamma[:, None])
                layer.bias.mul_(gamma)
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def _lora(transformer: Any, options: FineTuning) -> Iterator[Trainable]:
    """Low-rank updates of the attention projections by peft, merged into them."""
    try:
        from peft import LoraConfig, LoraModel
    except ImportError:
        raise ValueError(
            "parameters=lora needs the package peft: pip install -e '.[lora]' -c constraints.txt"
        ) from None
    from ddbench import seeding

    changed = [
        name for name, _ in transformer.named_parameters() if name.endswith(tuple(f"{a}.weight" for a in ATTENTION))
    ]
    config = LoraConfig(r=options.rank, lora_alpha=options.rank, target_modules=list(ATTENTION))
    with seeding.seeded("lora-init", options.rank):
        adapted = LoraModel(transformer, config, "default")
    try:
        yield [p for name, p in transformer.named_parameters() if "lora_" in name], changed
    finally:
        adapted.merge_and_unload()
