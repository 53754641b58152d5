"""Mean embeddings of several classes' images, and the gradients of their distances, in few passes of a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ddbench import steps
from ddbench.computing import BACKEND, dtype_of
from ddbench.hyperparameters import Compilation, Precision

MOST_CAPTURED = 16
"""kinds of passes that a card repeats as graphs; further ones run eagerly"""


class Passes:
    """Passes of one network whose weights change: ``use`` gives it those of another.

    A pass takes the images of some classes one after another, ``sizes`` of each, in float32. What is given back is
    float32 on the device. The weights, which are only read, are in the type of ``precision``; with ``compilation`` the
    network's ``features`` are compiled as a whole.
    """

    def __init__(self, mode: steps.Mode, precision: Precision = "fp32", compilation: Compilation = "none") -> None:
        self.mode, self.dtype, self.compiles = mode, dtype_of(precision), compilation == "blocks"
        self.network: Any = None
        self.features: Any = None
        self.runs: dict[tuple[str, tuple[int, ...]], steps.Steps] = {}

    def use(self, network: torch.nn.Module) -> None:
        """From here on passes are those of ``network``, which is changed. Where they are captured or compiled its
        values are copied into the network of the capture."""
        if self.network is None or not (self.mode.apart or self.compiles):
            # Not a look at each weight where there is nothing to change.
            self.network = network if self.dtype == torch.float32 else network.to(self.dtype)
            features = self.network.features
            self.features = torch.compile(features, backend=BACKEND, dynamic=False) if self.compiles else features
            return
        copy_weights(self.network, network)

    def means(self, images: torch.Tensor, sizes: Sequence[int]) -> torch.Tensor:
        """The mean embedding of each class: (N, C, H, W) -> (classes, D), without gradient."""

        def step(batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            with torch.no_grad():
                return {"means": self._means(batch["images"], sizes)}

        if self.mode.graphs is None:
            return step({"images": images})["means"]
        return self._run("means", sizes, step, {"images": images})["means"].clone()

    def backward(self, images: torch.Tensor, sizes: Sequence[int], targets: torch.Tensor) -> torch.Tensor:
        """The squared distance of each class's mean embedding to its target (classes, D): (classes,). The gradient of
        their sum is added to what ``images`` (N, C, H, W) were made of."""
        if self.mode.graphs is None:
            distances = self._distances(images, sizes, targets)
            distances.sum().backward()
            return distances.detach()

        def step(batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            leaf = batch["images"].detach().requires_grad_(True)
            distances = self._distances(leaf, sizes, batch["targets"])
            return {"distances": distances.detach(), "gradient": torch.autograd.grad(distances.sum(), leaf)[0]}

        found = self._run("gradients", sizes, step, {"images": images.detach(), "targets": targets})
        images.backward(found["gradient"])
        return found["distances"].clone()

    def _distances(self, images: torch.Tensor, sizes: Sequence[int], targets: torch.Tensor) -> torch.Tensor:
        return (self._means(images, sizes) - targets).square().sum(1)

    def _means(self, images: torch.Tensor, sizes: Sequence[int]) -> torch.Tensor:
        features = self.features(images.to(self.dtype)).float()
        if len(sizes) == 1:
            return features.mean(0, keepdim=True)
        return torch.stack([part.mean(0) for part in features.split(list(sizes))])

    def _run(self, kind: str, sizes: Sequence[int], step: Any, tensors: dict[str, torch.Tensor]) -> steps.run.Outputs:
        key = kind, tuple(sizes)
        if key not in self.runs:
            mode = self.mode if len(self.runs) < MOST_CAPTURED else self.mode.eager()
            self.runs[key] = steps.Steps(step, mode)
        return self.runs[key](steps.Batch(tensors))


def joined(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """``parts`` one after another; a single one is not copied."""
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))


def passes(sizes: Sequence[int], at_once: int) -> list[list[int]]:
    """Positions of ``sizes`` in passes of at most ``at_once`` images; one that is larger has a pass of its own."""
    found: list[list[int]] = []
    room = 0
    for i, size in enumerate(sizes):
        if not found or size > room:
            found.append([])
            room = at_once
        found[-1].append(i)
        room -= size
    return found


def copy_weights(network: torch.nn.Module, other: torch.nn.Module) -> None:
    """Give ``network`` the parameters and buffers of ``other``, which is built alike, where they are in memory."""
    with torch.no_grad():
        for own, new in zip(_tensors(network), _tensors(other), strict=True):
            own.copy_(new)


def _tensors(network: torch.nn.Module) -> list[torch.Tensor]:
    return [*network.parameters(), *network.buffers()]
