"""The measures of one distilled set: each class against the real one, averaged over the classes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ddbench import seeding
from ddbench.keys import digest
from ddbench.types import Count, LabeledImages, NonNegativeInt, Positive, StageContext

if TYPE_CHECKING:
    import torch

CHUNK = 256
"""images featurised or encoded at once"""


class Codec(Protocol):
    """A diffusion prior's encoder into its latent space."""

    def encode(self, images: torch.Tensor) -> torch.Tensor: ...

    def identity(self) -> str: ...


Features = Callable[["torch.Tensor"], "torch.Tensor"]
"""uint8 (N, C, H, W) -> float (N, D), on any device"""


@dataclass(frozen=True)
class Shift:
    """Distribution shift and diversity of a distilled set (what the CVPR 2026 paper diagnoses), and memorisation."""

    neighbours: Count = 5
    """k of precision, recall, density and coverage; Naeem et al.'s choice"""
    epsilon: Positive = 1e-3
    """of the determinant -log det(K + epsilon I)"""
    reference: Count = 1000
    """real images of a class at most, drawn by the seed: bounds the memory for inner products"""
    queries: Count = 1000
    """train images at most whose distance to their nearest other, and whose mean |latent|, sets the scale"""
    seed: NonNegativeInt = 0

    def draw(self, real: LabeledImages, ipc: int, seed: int) -> tuple[LabeledImages, torch.Tensor]:
        """``ipc`` random train images of each class and their places, to be measured against all others.

        What a perfect sampler of the real distribution would score. Raises ValueError when a class has no more.
        """
        import torch

        chosen = []
        for label, name in enumerate(real.classes):
            members = (real.labels == label).nonzero()[:, 0]
            if len(members) <= ipc:
                raise ValueError(f"class {name!r} has {len(members)} train images: none is left beside {ipc}")
            order = torch.randperm(len(members), generator=seeding.generator("shift-draw", seed, name))
            chosen.append(members[order[:ipc]])
        index = torch.cat(chosen)
        return LabeledImages(images=real.images[index], labels=real.labels[index], classes=real.classes), index

    def measure(
        self,
        made: LabeledImages,
        real: LabeledImages,
        features: Features | None,
        space: str,
        codec: Codec | None,
        ctx: StageContext,
        held_out: torch.Tensor | None = None,
    ) -> dict[str, Any]:
        """Every measure as JSON; those of single classes, by name, under ``classes``, their mean beside.

        ``made`` and the train split ``real`` match by the names of their classes. ``features`` None
        stands for ``pixels``; ``space`` tells spaces apart where features are cached. ``codec`` None takes pixels for
        latents. ``held_out``: rows of ``real`` that are not compared with, because ``made`` is them.
        Distances are in the units of the space; shares and ratios are fractions.
        """
        import torch

        features = features or pixels
        train = _of_train(space, features, real, ctx)
        labels = torch.tensor([real.classes.index(name) for name in made.classes])[made.labels]
        mine = _apply(features, made.images)
        kept = torch.ones(len(real), dtype=torch.bool)
        if held_out is not None:
            kept[held_out] = False
        classes = {}
        for label, name in enumerate(real.classes):
            members = ((real.labels == label) & kept).nonzero()[:, 0]
            sample = members[self._sample(len(members), self.reference, name)]
            classes[name] = self._class(mine[labels == label], train[sample])
            ctx.progress(label + 1, len(real.classes) + 1)
        return {
            "features": mine.shape[1],
            "neighbours": self.neighbours,
            "epsilon": self.epsilon,
            **_mean(list(classes.values())),
            **self._memory(made, mine, real, train, kept, ctx),
            **self._latents(made, real, codec),
            "classes": classes,
        }

    def _class(self, made: torch.Tensor, real: torch.Tensor) -> dict[str, float | None]:
        from ddbench.evaluators.shift.diversity import dpp_loss, vendi_score
        from ddbench.evaluators.shift.gram import gram
        from ddbench.evaluators.shift.moments import moments
        from ddbench.evaluators.shift.neighbours import manifold

        g = gram(made, real)
        diversity = {"dpp_loss": dpp_loss(g.cosines, self.epsilon), "vendi": vendi_score(g.cosines)}
        return {**moments(g), **diversity, **manifold(g, self.neighbours)}

    def _memory(
        self,
        made: LabeledImages,
        mine: torch.Tensor,
        real: LabeledImages,
        train: torch.Tensor,
        kept: torch.Tensor,
        ctx: StageContext,
    ) -> dict[str, float | None]:
        """How near distilled images are to train images of any class, in terms of how near these are to each other.

        nearest_ratio: median distance to the nearest train image, divided by the median distance of a train image to
        its nearest other. close: share nearer than 99 % of train images are to theirs. copies: share that equal a
        train image pixel by pixel.
        """
        import torch

        from ddbench.evaluators.shift.neighbours import nearest

        sample = self._sample(len(real), self.queries, "all")
        typical = nearest(train[sample], train, itself=sample, kept=torch.ones_like(kept))
        found = nearest(mine, train, itself=torch.full((len(mine),), -1), kept=kept)
        scale = float(typical.median())
        known = set(_of_train("digests", _digests, real, ctx)[kept].tolist())
        return {
            "nearest_ratio": float(found.median()) / scale if scale else None,
            "close": float((found < typical.quantile(0.01)).double().mean()),
            "copies": sum(value in known for value in _digests(made.images).tolist()) / len(made),
        }

    def _latents(self, made: LabeledImages, real: LabeledImages, codec: Codec | None) -> dict[str, Any]:
        """The mean absolute latent of the saved pixels, encoded again, and relative to that of train images.

        What RSM's penalty makes smaller. latent_space: the codec's identity, ``pixels`` for pixels in [-1, 1].
        """
        encode = codec.encode if codec else pixels
        sample = real.images[self._sample(len(real), self.queries, "all")]
        value, scale = (_mean_abs(encode, images) for images in (made.images, sample))
        identity = codec.identity() if codec else "pixels"
        return {"latent_abs": value, "latent_ratio": value / scale if scale else None, "latent_space": identity}

    def _sample(self, n: int, most: int, name: str) -> torch.Tensor:
        """At most ``most`` of ``range(n)``, in order."""
        import torch

        if n <= most:
            return torch.arange(n)
        order = torch.randperm(n, generator=seeding.generator("shift-sample", self.seed, name))
        return order[:most].sort().values


def pixels(images: torch.Tensor) -> torch.Tensor:
    """uint8 (N, C, H, W) -> float32 (N, C H W) in [-1, 1]: features without a network."""
    return images.flatten(1).float() / 127.5 - 1


def _of_train(identity: str, compute: Features, real: LabeledImages, ctx: StageContext) -> torch.Tensor:
    """``compute`` of all train images: done once where there is a cache, and then mapped into memory."""
    import numpy as np
    import torch

    if ctx.cache is None:
        return _apply(compute, real.images)

    def fill(folder: Path) -> None:
        target = None
        for start in range(0, len(real), CHUNK):
            part = _apply(compute, real.images[start : start + CHUNK]).numpy()
            if target is None:
                shape = (len(real), *part.shape[1:])
                target = np.lib.format.open_memmap(folder / "rows.npy", "w+", part.dtype, shape)
            target[start : start + len(part)] = part
        assert target is not None
        target.flush()

    folder = ctx.cache("shift-" + digest([ctx.data, identity]), fill)
    return torch.from_numpy(np.load(folder / "rows.npy", mmap_mode="c"))


def _apply(compute: Features, images: torch.Tensor) -> torch.Tensor:
    """``compute`` in batches; floats as float32, on the CPU."""
    import torch

    parts = [compute(part).cpu() for part in images.split(CHUNK)]
    return torch.cat([part.float() if part.is_floating_point() else part for part in parts])


def _digests(images: torch.Tensor) -> torch.Tensor:
    """A 64-bit digest of the pixels of each image: int64 (N,)."""
    import torch

    found = [hashlib.blake2b(image.numpy().tobytes(), digest_size=8).digest() for image in images]
    return torch.tensor([int.from_bytes(value, "big", signed=True) for value in found], dtype=torch.int64)


def _mean_abs(encode: Features, images: torch.Tensor) -> float:
    total, count = 0.0, 0
    for part in images.split(CHUNK):
        latents = encode(part)
        total += float(latents.double().abs().sum())
        count += latents.numel()
    return total / count


def _mean(classes: list[dict[str, float | None]]) -> dict[str, float | None]:
    """The mean of each measure over the classes; None when it is not defined for all."""
    means: dict[str, float | None] = {}
    for key in classes[0]:
        values = [value for measures in classes if (value := measures[key]) is not None]
        means[key] = sum(values) / len(values) if len(values) == len(classes) else None
    return means
