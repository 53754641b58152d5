"""What the harness gives to a stage that runs: seed, device, folders, callbacks, and the networks that it may build."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ddbench.hyperparameters import Compute
from ddbench.images import DataFacts, ImageView, LabeledImages, Shape

if TYPE_CHECKING:
    import torch

Cache = Callable[[str, Callable[[Path], None]], Path]
"""``cache(name, fill)``: the cached folder ``name``; on the first call ``fill(folder)`` writes its files"""


class Network(ABC):
    """Builds untrained networks of one architecture; an instance is registered under a name such as ``convnet3``."""

    version: ClassVar[int] = 1
    """raised when the same name means another network: part of keys and records, which tell versions apart"""

    def problems(self, data: DataFacts) -> Sequence[str]:
        """Why it cannot be built for images of ``data.shape``, here the shape in which it sees them; empty: it can."""
        return ()

    @abstractmethod
    def __call__(self, shape: Shape, num_classes: int) -> torch.nn.Module:
        """A module from float (N, *shape) to logits (N, num_classes); ``features(x)`` gives the last layer's input."""


@dataclass(frozen=True)
class StageContext:
    """What the harness gives to a running stage: seed, device, networks, folders, callbacks."""

    seed: int
    """seed of the stage; random streams are ``seeding.generator("name", ctx.seed, ...)``"""
    device: str = "cpu"
    data: str = ""
    """digest of the dataset with its options, for cache names of what is computed from the train images alone"""
    networks: Mapping[str, Network] = field(default_factory=dict)
    """the registered networks that the method or protocol declared"""
    dataset: str = ""
    """for a protocol: name of the dataset"""
    state: Any = None
    """for a protocol: the state of the last of its preparations"""
    compute: Compute = field(default_factory=Compute)
    """precision and memory layout, for stages that train a classifier"""
    log: Callable[[Mapping[str, float]], None] = lambda _: None
    """``log({name: value})``: logged values, kept in the stage's manifest or record; the last value of a name counts"""
    progress: Callable[[int, int], None] = lambda done, total: None
    """``progress(done, total)``: shown in the display and in ``bench status``"""
    cache: Cache | None = None
    """for what can be recomputed from the data, such as latents; None: no cache"""
    scratch: Path | None = None
    """a folder of this stage that survives a crash, for checkpoints to resume from; None: no such folder"""
    validation: LabeledImages | None = None
    """the labelled validation images, for a preparation that ``reads_validation``"""
    judged_view: ImageView | None = None
    """for a protocol: the view through which the judged images were decoded; None for those of ``Dataset.load``"""
