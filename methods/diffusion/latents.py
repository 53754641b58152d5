"""The latents of the train images, encoded once: no autoencoder runs inside a training loop."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ddbench.keys import digest
from ddbench.methods.diffusion.codec import Codec, PixelCodec
from ddbench.types import LabeledImages, StageContext

CHUNK = 256
"""images encoded, or averaged, at once"""


@dataclass
class Latents:
    """Moments of every image and, with ``mirrored``, of its mirror.

    mean, deviation: (N, M, c, h, w), M = 2 with mirrors, else 1; perhaps memory-mapped float16. deviation is None for a
    deterministic codec.
    """

    mean: torch.Tensor
    deviation: torch.Tensor | None
    labels: torch.Tensor

    def draw(self, index: torch.Tensor, random: torch.Generator, device: torch.device) -> torch.Tensor:
        """Latents (B, c, h, w) of the images ``index``: mirrored with probability one half, sampled from the moments.

        What there is no choice about draws nothing, so pixels without mirrors leave ``random`` as it is.
        """
        view = torch.zeros_like(index)
        if self.mean.shape[1] == 2:
            view = torch.randint(2, index.shape, generator=random)
        x = self.mean[index, view].to(device).float()
        if self.deviation is not None:
            noise = torch.randn(x.shape, generator=random).to(device)
            x = x + self.deviation[index, view].to(device).float() * noise
        return x


def training_latents(codec: Codec, real: LabeledImages, mirror: bool, ctx: StageContext) -> Latents:
    """The latents of ``real``: pixels as they are, those of an autoencoder from ``ctx.cache`` where there is one."""
    if isinstance(codec, PixelCodec):
        pixels = codec.encode(real.images)
        views = [pixels, pixels.flip(-1)] if mirror else [pixels]
        return Latents(torch.stack(views, 1), None, real.labels)
    if ctx.cache is None:
        mean, deviation = _encode(codec, real, mirror)
        return Latents(mean, deviation, real.labels)
    name = "latents-" + digest([ctx.data, codec.identity(), mirror])
    folder = ctx.cache(name, lambda folder: _fill(folder, codec, real, mirror, ctx))
    mean, *deviation_ = (torch.from_numpy(np.load(path, mmap_mode="c")) for path in _files(folder))
    return Latents(mean, deviation_[0] if deviation_ else None, real.labels)


def class_means(codec: Codec, real: LabeledImages, ctx: StageContext) -> torch.Tensor:
    """The mean latent of the real images of each class: float32 (K, c, h, w), kept in ctx.cache."""
    if isinstance(codec, PixelCodec) or ctx.cache is None:
        return _class_means(codec, real)
    name = "means-" + digest([ctx.data, codec.identity(), list(real.classes)])
    folder = ctx.cache(name, lambda folder: np.save(folder / "means.npy", _class_means(codec, real).numpy()))
    return torch.from_numpy(np.load(folder / "means.npy"))


def _class_means(codec: Codec, real: LabeledImages) -> torch.Tensor:
    means = []
    for k in range(len(real.classes)):
        images = real.of_class(k)
        total = torch.stack([codec.encode(part).double().sum(0).cpu() for part in images.split(CHUNK)]).sum(0)
        means.append((total / len(images)).float())
    return torch.stack(means)


def _encode(codec: Codec, real: LabeledImages, mirror: bool) -> tuple[torch.Tensor, torch.Tensor | None]:
    views = [codec.moments(images) for images in ([real.images, real.images.flip(-1)] if mirror else [real.images])]
    mean = torch.stack([m for m, _ in views], 1).cpu()
    deviations = [d for _, d in views if d is not None]
    return mean, torch.stack(deviations, 1).cpu() if deviations else None


def _fill(folder: Path, codec: Codec, real: LabeledImages, mirror: bool, ctx: StageContext) -> None:
    """Write mean.npy and, unless the codec is deterministic, deviation.npy (float16: its rounding is far below the
    deviation itself), a chunk at a time."""
    shape = (len(real), 2 if mirror else 1, *codec.latent_shape(real.shape))
    maps: dict[str, np.memmap] = {}
    for start in range(0, len(real), CHUNK):
        part = LabeledImages(
            images=real.images[start : start + CHUNK], labels=real.labels[start : start + CHUNK], classes=real.classes
        )
        for name, moment in zip(("mean", "deviation"), _encode(codec, part, mirror), strict=True):
            if moment is not None:
                if name not in maps:
                    maps[name] = np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.float16, shape)
                maps[name][start : start + len(part)] = moment.half().numpy()
        ctx.progress(start + len(part), len(real))
    for array in maps.values():
        array.flush()
    (folder / "about.json").write_text(json.dumps({"codec": codec.identity(), "shape": shape}))


def _files(folder: Path) -> list[Path]:
    return [path for name in ("mean", "deviation") if (path := folder / f"{name}.npy").exists()]
