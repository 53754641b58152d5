"""What a guidance or a start may know of the classes that are about to be sampled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from ddbench import seeding
from ddbench.keys import digest
from ddbench.methods.diffusion.codec import Codec, PixelCodec
from ddbench.methods.diffusion.latents import CHUNK
from ddbench.types import LabeledImages, StageContext


@dataclass(frozen=True)
class SamplingContext:
    """K classes, of each of which ``ipc`` latents are about to be sampled."""

    names: tuple[str, ...]
    ipc: int
    real: LabeledImages
    """the real train images, of these classes and perhaps of others"""
    encoder: Codec
    decoder: Codec
    ctx: StageContext
    beside: Mapping[str, Any]
    """states of preparations that stand beside the model, each by the name that it gave itself"""

    def images(self, name: str) -> torch.Tensor:
        """The real images of a class, uint8 (M, C, H, W)."""
        return self.real.of_class(self.real.classes.index(name))

    def latents(self, name: str) -> torch.Tensor:
        """Their mean latents, float32 (M, c, h, w), on the CPU; of an autoencoder, kept in ``ctx.cache``."""
        if isinstance(self.encoder, PixelCodec) or self.ctx.cache is None:
            return self._encode(name)
        key = "class-latents-" + digest([self.ctx.data, self.encoder.identity(), name])
        folder = self.ctx.cache(key, lambda folder: np.save(folder / "latents.npy", self._encode(name).numpy()))
        return torch.from_numpy(np.load(folder / "latents.npy"))

    def modes(self, name: str, seed: int | None = None, n_init: int | Literal["auto"] = "auto") -> torch.Tensor:
        """Centres of ``ipc`` clusters of the latents of a class by k-means, float32 (ipc, c, h, w), in the order that
        k-means++ found them in (Arthur & Vassilvitskii 2007). ``seed`` is scikit-learn's ``random_state``; None takes a
        stream of the distilled set's seed and the class.

        Raises ValueError when the class has fewer than ``ipc`` images.
        """
        if seed is None:
            seed = seeding.stream("modes", self.ctx.seed, name)
        return k_means(self.latents(name), self.ipc, seed, n_init)

    def _encode(self, name: str) -> torch.Tensor:
        return torch.cat([self.encoder.encode(part).float().cpu() for part in self.images(name).split(CHUNK)])


def k_means(points: torch.Tensor, k: int, seed: int, n_init: int | Literal["auto"] = "auto") -> torch.Tensor:
    """The ``k`` centres (k, ...) of points (M, ...) by Lloyd's algorithm from k-means++ starts."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    # float64 on one thread: the order of a sum must not depend on where it is computed.
    with threadpool_limits(1):
        found = KMeans(k, n_init=n_init, random_state=seed % 2**32).fit(points.flatten(1).double().numpy())
    return torch.from_numpy(found.cluster_centers_).float().view(k, *points.shape[1:])
