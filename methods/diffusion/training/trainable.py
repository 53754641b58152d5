"""Which weights fine-tuning changes. Whatever is added for it is merged into the weights afterwards, so that a tuned
model has the layout of the prior and no trace of how it was tuned."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.hooks import RemovableHandle

from ddbench.methods.diffusion.training.options import LORA_NEEDS, FineTuning

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
    """DiffFit (Xie et al. 2023) as Minimax has it on the original DiT: all biases, the class table, and scales gamma
    that start at 1, in the first half of the blocks: of queries, keys and values, of the attention's output projection,
    and of the attention branch and the MLP branch. The blocks' norms have no weights of their own.

    DiT has one class table and one timestep MLP; diffusers keeps a copy of both in each block. What is trained of them
    is one change, starting at 0, that all copies share, so that copies that were equal stay equal.
    """
    named = dict(transformer.named_parameters())
    blocks = list(transformer.transformer_blocks)
    names = {id(parameter): name for name, parameter in named.items()}
    own = [name for name in named if name.endswith(".bias") and EMBEDDER not in name]
    for name in own:
        named[name].requires_grad_(True)
    scaled = [_Scaled(layer) for block in blocks[: len(blocks) // 2] for layer in _scaled_layers(block)]
    shared = [_Shared(copies) for copies in zip(*map(_embedders, blocks), strict=True)]
    added: list[_Added] = [*scaled, *shared]
    try:
        yield (
            [named[name] for name in own] + [p for one in added for p in one.parameters],
            own + [names[id(p)] for one in added for p in one.targets if names[id(p)] not in own],
        )
        with torch.no_grad():
            for one in added:
                one.fold()
    finally:
        for one in added:
            for hook in one.hooks:
                hook.remove()


EMBEDDER = ".norm1.emb."
"""part of the names of a block's copy of the class table and the timestep MLP"""


def _scaled_layers(block: Any) -> list[tuple[nn.Linear, int]]:
    """The layers of a block whose outputs are scaled, each with the number of its gammas: the output projection has
    its own and that of the attention branch, which the modulation's gate follows."""
    attention = block.attn1
    single = [attention.to_q, attention.to_k, attention.to_v, block.ff.net[-1]]
    return [(attention.to_out[0], 2), *((layer, 1) for layer in single)]


def _embedders(block: Any) -> list[tuple[nn.Module, str]]:
    """What DiffFit trains of a block's copy of the embedders, as modules and names of their parameters."""
    timestep, classes = block.norm1.emb.timestep_embedder, block.norm1.emb.class_embedder
    return [(classes.embedding_table, "weight"), (timestep.linear_1, "bias"), (timestep.linear_2, "bias")]


class _Added(ABC):
    """Parameters that hooks apply to what layers put out while training; ``fold`` then puts them into ``targets``."""

    parameters: list[nn.Parameter]
    targets: list[torch.Tensor]
    hooks: list[RemovableHandle]

    @abstractmethod
    def fold(self) -> None:
        """Change the targets so that the layers without hooks put out what they did with them."""


class _Scaled(_Added):
    """Scales of a linear layer's outputs, one or several whose product counts."""

    def __init__(self, layer_and_count: tuple[nn.Linear, int]) -> None:
        self.layer, count = layer_and_count
        weight = self.layer.weight
        self.parameters = [nn.Parameter(torch.ones(len(weight), device=weight.device)) for _ in range(count)]
        self.targets = [weight, self.layer.bias]
        self.hooks = [self.layer.register_forward_hook(lambda module, inputs, output: output * self._gamma())]

    def _gamma(self) -> torch.Tensor:
        gamma: torch.Tensor = self.parameters[0]
        for other in self.parameters[1:]:
            gamma = gamma * other
        return gamma

    def fold(self) -> None:
        self.layer.weight.mul_(self._gamma()[:, None])
        self.layer.bias.mul_(self._gamma())


class _Shared(_Added):
    """One change of a parameter that each block has a copy of."""

    def __init__(self, copies: Sequence[tuple[nn.Module, str]]) -> None:
        self.targets = [getattr(module, name) for module, name in copies]
        self.change = nn.Parameter(torch.zeros_like(self.targets[0]))
        self.parameters = [self.change]
        self.hooks = [
            module.register_forward_hook(self._looked_up if name == "weight" else self._added)
            for module, name in copies
        ]

    def _looked_up(self, module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        return output + F.embedding(inputs[0], self.change)

    def _added(self, module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        return output + self.change

    def fold(self) -> None:
        for target in self.targets:
            target.add_(self.change)


@contextmanager
def _lora(transformer: Any, options: FineTuning) -> Iterator[Trainable]:
    """Low-rank updates of the attention projections by peft, merged into them."""
    try:
        from peft import LoraConfig, LoraModel
    except ImportError:
        raise ValueError(LORA_NEEDS) from None
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
