"""Geometric transforms of float batches (N, C, H, W): resizing, random resized crops, flips and shuffled strips.

Each random change is a draw, a function of a generator that gives one parameter set for each image, and an
application, a function of images and parameters alone.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

TRIES = 10
"""attempts to draw a crop that fits, as in torchvision's RandomResizedCrop"""


def resize_and_crop(images: torch.Tensor, shorter: int, side: int) -> torch.Tensor:
    """The shorter side to ``shorter`` (bilinear with antialiasing), then the central square of ``side``.

    torchvision's Resize(shorter) + CenterCrop(side), on floats that are not rounded to bytes in between.
    Raises ValueError when ``side`` is more than ``shorter``.
    """
    if side > shorter:
        raise ValueError(f"a crop of {side} px does not fit into images of {shorter} px")
    height, width = images.shape[2:]
    if min(height, width) != shorter:
        short = min(height, width)
        size = (shorter * height // short, shorter * width // short)
        images = F.interpolate(images, size=size, mode="bilinear", align_corners=False, antialias=True)
    top, left = (round((n - side) / 2) for n in images.shape[2:])
    return images[:, :, top : top + side, left : left + side]


def draw_crops(
    n: int,
    height: int,
    width: int,
    area: tuple[float, float],
    ratio: tuple[float, float],
    random: torch.Generator,
) -> torch.Tensor:
    """(top, left, height, width) of ``n`` crops in whole pixels, int64 (n, 4).

    The distribution of torchvision's RandomResizedCrop: the share of the area uniform, the aspect ratio (width /
    height) log-uniform, the place uniform; after ten crops that do not fit, the largest central one of allowed ratio.
    """
    shares = area[0] + (area[1] - area[0]) * torch.rand(n, TRIES, generator=random, dtype=torch.float64)
    low, high = (math.log(r) for r in ratio)
    ratios = (low + (high - low) * torch.rand(n, TRIES, generator=random, dtype=torch.float64)).exp()
    w = (shares * height * width * ratios).sqrt().round().long()
    h = (shares * height * width / ratios).sqrt().round().long()
    fits = (w > 0) & (w <= width) & (h > 0) & (h <= height)
    first = fits.int().argmax(1, keepdim=True)  # the first that fits
    h, w = h.gather(1, first)[:, 0], w.gather(1, first)[:, 0]
    place = torch.rand(2, n, generator=random, dtype=torch.float64)
    top, left = (place[0] * (height - h + 1)).long(), (place[1] * (width - w + 1)).long()
    crops = torch.stack([top, left, h, w], 1)
    crops[~fits.any(1)] = torch.tensor(_central(height, width, ratio))
    return crops


def _central(height: int, width: int, ratio: tuple[float, float]) -> tuple[int, int, int, int]:
    h, w = height, width
    if width / height < ratio[0]:
        h = min(round(width / ratio[0]), height)
    elif width / height > ratio[1]:
        w = min(round(height * ratio[1]), width)
    return (height - h) // 2, (width - w) // 2, h, w


def crop(images: torch.Tensor, crops: torch.Tensor) -> torch.Tensor:
    """Each image's own crop, resized bilinearly to the size of the image; as slicing and F.interpolate would.

    Crops are never larger than the output, so there is nothing to antialias. Sampling stays inside the crop: its
    border pixels are repeated, its neighbours are not seen.
    """
    height, width = images.shape[2:]
    top, left, h, w = crops.to(images.device, torch.float32).T[:, :, None]
    rows = _inside(top, h, height)
    columns = _inside(left, w, width)
    grid = torch.stack(
        [
            (2 * columns + 1).div(width).sub(1)[:, None, :].expand(-1, height, -1),
            (2 * rows + 1).div(height).sub(1)[:, :, None].expand(-1, -1, width),
        ],
        -1,
    )
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _inside(start: torch.Tensor, length: torch.Tensor, n: int) -> torch.Tensor:
    """Where ``n`` output pixels fall between the pixel centres ``start`` and ``start + length - 1``: (N, n)."""
    steps = (torch.arange(n, device=start.device) + 0.5) * (length / n) - 0.5
    return start + steps.clamp(min=0).minimum(length - 1)


def draw_flips(n: int, share: float, random: torch.Generator) -> torch.Tensor:
    """Which of ``n`` images are mirrored, bool (n,), each with probability ``share``."""
    return torch.rand(n, generator=random) < share


def flip(images: torch.Tensor, flips: torch.Tensor) -> torch.Tensor:
    """The images at which ``flips`` is true, mirrored left to right."""
    return torch.where(flips.to(images.device)[:, None, None, None], images.flip(3), images)


def draw_strips(n: int, strips: int, random: torch.Generator) -> torch.Tensor:
    """A random order of the columns' strips and one of the rows' for each of ``n`` images: int64 (n, 2, strips)."""
    return torch.rand(n, 2, strips, generator=random).argsort(2)


def shuffle(images: torch.Tensor, orders: torch.Tensor) -> torch.Tensor:
    """Strips of columns, then of rows, put in each image's own order. The last strip takes what is left over."""
    columns, rows = (
        _sources(n, orders[:, axis].to(images.device)) for axis, n in ((0, images.shape[3]), (1, images.shape[2]))
    )
    return taken(images, rows, columns)


def taken(images: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Of each image the pixels at its own ``rows`` (N, h) and ``columns`` (N, w): (N, C, h, w)."""
    n, channels, _, width = images.shape
    place = (rows[:, :, None] * width + columns[:, None, :]).flatten(1)
    found = images.flatten(2).gather(2, place[:, None].expand(n, channels, -1))
    return found.view(n, channels, rows.shape[1], columns.shape[1])


def _sources(n: int, orders: torch.Tensor) -> torch.Tensor:
    """Where each of ``n`` pixels of a line comes from when its strips stand in ``orders`` (N, strips): int64 (N, n)."""
    strips = orders.shape[1]
    width = n // strips
    widths = width + (orders == strips - 1) * (n - width * strips)
    ends = widths.cumsum(1)
    places = torch.arange(n, device=orders.device).expand(len(orders), n).contiguous()
    strip = torch.searchsorted(ends, places, right=True)
    return (orders * width).gather(1, strip) + places - (ends - widths).gather(1, strip)
