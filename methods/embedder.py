"""A feature extractor trained on the train split; selection methods measure distances between its features."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ddbench import seeding
from ddbench.levels import LEVELS, spread, to_levels
from ddbench.types import (
    Count,
    LabeledImages,
    NonNegative,
    NonNegativeInt,
    Positive,
    Preparation,
    Shape,
    StageContext,
)

if TYPE_CHECKING:
    import torch

WEIGHTS_FILE = "network.safetensors"
SCALING_FILE = "scaling.json"
FEATURE_BATCH = 256
"""images on the device at once when no gradient is needed"""


@dataclass(frozen=True)
class Scaling:
    """Normalisation of stored pixels, by channel, and the size at which a network takes them."""

    mean: tuple[float, ...]
    """of each channel over the train images, in 0..255"""
    sd: tuple[float, ...]
    """standard deviation of each channel over the train images, in 0..255"""
    min_side: int
    """smaller images are enlarged to this side"""

    @staticmethod
    def of(images: torch.Tensor, min_side: int) -> Scaling:
        """From the exact moments of uint8 (N, C, H, W); a constant channel (``levels.spread``) is divided by 1."""
        counts = _histograms(images)
        mean = [sum(v * n for v, n in enumerate(row)) / sum(row) for row in counts]
        square = [sum(v * v * n for v, n in enumerate(row)) / sum(row) for row in counts]
        sd = [spread(math.sqrt(max(s - m * m, 0.0)), LEVELS) for s, m in zip(square, mean, strict=True)]
        return Scaling(tuple(mean), tuple(sd), min_side)

    def size(self, height: int, width: int) -> tuple[int, int]:
        """The size that an image gets: the shorter side at least ``min_side``, the aspect ratio kept."""
        factor = max(1.0, self.min_side / min(height, width))
        return round(height * factor), round(width * factor)

    def __call__(self, images: torch.Tensor, device: str) -> torch.Tensor:
        """uint8 (N, C, H, W), anywhere -> float32 (N, C, H', W') on ``device``."""
        import torch.nn.functional as F

        from ddbench.steps import constant

        mean, sd = (constant(v, device).view(1, -1, 1, 1) for v in (self.mean, self.sd))
        x = (images.to(device).float() - mean).div_(sd)
        size = self.size(x.shape[2], x.shape[3])
        return x if size == x.shape[2:] else F.interpolate(x, size=size, mode="bilinear", align_corners=False)

    def levels(self, x: torch.Tensor, of: Sequence[str] = ()) -> torch.Tensor:
        """Normalised float (N, C, H, W) -> uint8, clamped to 0..255 and rounded to the nearest level.

        of: the class of each image, for the message. Raises FloatingPointError where a value is not finite.
        """
        from ddbench.steps import constant

        mean, sd = (constant(v, x.device).view(1, -1, 1, 1) for v in (self.mean, self.sd))
        return to_levels(x.float() * sd + mean, of)


@dataclass(frozen=True)
class Embedder:
    """A trained network with the scaling that it was trained with."""

    network: torch.nn.Module
    scaling: Scaling
    shape: Shape
    """of the images before scaling"""
    classes: tuple[str, ...]
    device: str = "cpu"

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """The network's input to its head: uint8 (N, C, H, W) -> float32 (N, D) on the CPU, batch by batch."""
        import torch

        self.network.eval()
        with torch.no_grad(), seeding.seeded("embedder-features"):
            scaled = (self.scaling(part, self.device) for part in images.split(FEATURE_BATCH))
            return torch.cat([self.network.features(x).flatten(1).float().cpu() for x in scaled])  # type: ignore[operator]


@dataclass(frozen=True)
class TrainedEmbedder(Preparation):
    """A registered network trained as a classifier of the train split: AdamW, cosine schedule, no augmentation.

    The train images stay where they are, perhaps a file mapped into memory; one batch at a time is converted and
    moved. D, the number of features, is 512 for a ResNet-18 at any size, but grows with the image's area for a
    ConvNet (100,352 for depth 3 at 224 px).
    """

    stage: ClassVar[Literal["embed"]] = "embed"

    network: str = "convnet3"
    epochs: Count = 20
    batch: Count = 64
    lr: Positive = 1e-3
    """at the start; it falls to zero along half a cosine, changed at each batch"""
    weight_decay: NonNegative = 1e-2
    min_side: Count = 16
    """smaller images are enlarged to this side, bilinearly"""
    seed: NonNegativeInt = 0
    """of the initial weights and the order of the images"""

    def networks(self) -> tuple[str, ...]:
        return (self.network,)

    def run(self, real: LabeledImages, before: Any, ctx: StageContext) -> Embedder:
        """Raises FloatingPointError when the loss is not finite."""
        return self.train(real, ctx)

    def train(
        self,
        real: LabeledImages,
        ctx: StageContext,
        after: Callable[[int, torch.nn.Module], None] = lambda epoch, network: None,
    ) -> Embedder:
        """``after(epoch, network)`` is called with the untrained network (epoch 0) and after each epoch."""
        from ddbench import steps
        from ddbench.learning.fitting import Fitting

        scaling = Scaling.of(real.images, self.min_side)
        network = self._untrained(scaling, real.shape, real.classes, ctx).train()
        mode = steps.mode(ctx.device)
        fitting = Fitting(
            name="embedder",
            seed=self.seed,
            batch=self.batch,
            optimiser=steps.adamw(network.parameters(), mode, lr=self.lr, weight_decay=self.weight_decay),
            inputs=lambda images, drawn: scaling(images, ctx.device),
            rate=lambda step, total: self.lr * 0.5 * (1 + math.cos(math.pi * step / total)),
        )
        found: dict[str, float] = {}
        after(0, network)
        for epoch, found in enumerate(fitting.epochs(network, real, self.epochs, mode, ctx), start=1):  # noqa: B007
            after(epoch, network)
        ctx.log(found)  # of the last epoch
        return Embedder(network.eval(), scaling, real.shape, real.classes, ctx.device)

    def _untrained(
        self, scaling: Scaling, shape: Shape, classes: tuple[str, ...], ctx: StageContext
    ) -> torch.nn.Module:
        channels, height, width = shape
        with seeding.seeded("embedder-init", self.seed):
            network = ctx.networks[self.network]((channels, *scaling.size(height, width)), len(classes))
        return network.to(ctx.device)

    def save(self, state: Embedder, folder: Path) -> None:
        from safetensors.torch import save_file

        weights = state.network.state_dict()
        save_file({name: weights[name].cpu().contiguous() for name in sorted(weights)}, folder / WEIGHTS_FILE)
        about = {
            "classes": state.classes,
            "shape": state.shape,
            "mean": state.scaling.mean,
            "sd": state.scaling.sd,
            "min_side": state.scaling.min_side,
        }
        (folder / SCALING_FILE).write_text(json.dumps(about, indent=1))

    def load(self, folder: Path, before: Any, ctx: StageContext) -> Embedder:
        from safetensors.torch import load_file

        about = json.loads((folder / SCALING_FILE).read_text())
        scaling = Scaling(tuple(about["mean"]), tuple(about["sd"]), about["min_side"])
        channels, height, width = about["shape"]
        shape, classes = (channels, height, width), tuple(about["classes"])
        network = self._untrained(scaling, shape, classes, ctx)
        network.load_state_dict(load_file(folder / WEIGHTS_FILE, device=ctx.device))
        return Embedder(network.eval(), scaling, shape, classes, ctx.device)


def _histograms(images: torch.Tensor) -> list[list[int]]:
    """Counts of the 256 values in each channel of uint8 (N, C, H, W): integers, so that neither the order of the images
    nor the size of a part matters."""
    import torch

    counts = torch.zeros(images.shape[1], 256, dtype=torch.int64)
    for part in images.split(FEATURE_BATCH):
        for channel, row in enumerate(counts):
            row += part[:, channel].flatten().bincount(minlength=256).cpu()
    return counts.tolist()
