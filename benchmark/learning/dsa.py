"""Differentiable siamese augmentation (Zhao & Bilen, ICML 2021): one transform for real and synthetic images.

Images are normalised, so that zero is the mean colour, which fills what crop, cutout, scale and rotate leave empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ddbench.types import Shape

Parameters = Mapping[str, tuple[float, ...]]
"""operation -> its drawn parameters, shared by the whole batch"""


@dataclass(frozen=True)
class Siamese:
    """``draw`` gives parameters for images of a shape; calling applies them to every image of a batch (N, C, H, W)."""

    operations: tuple[str, ...]
    use: str = "one"

    def __post_init__(self) -> None:
        unknown = [name for name in self.operations if name not in OPERATIONS]
        if unknown:
            raise ValueError(f"unknown augmentation {unknown[0]!r}; known: {', '.join(OPERATIONS)}")

    def draw(self, random: torch.Generator, shape: Shape) -> Parameters:
        names: Sequence[str] = self.operations
        if self.use == "one":
            names = [self.operations[int(torch.randint(len(self.operations), (), generator=random))]]
        return {name: tuple(torch.rand(3, generator=random).tolist()) for name in names}

    def __call__(self, images: torch.Tensor, parameters: Parameters) -> torch.Tensor:
        for name, values in parameters.items():
            images = OPERATIONS[name](images, values)
        return images


def color(x: torch.Tensor, u: tuple[float, ...]) -> torch.Tensor:
    """Brightness by +-0.5 standard deviations, saturation by a factor in 0..2, contrast by a factor in 0.5..1.5."""
    x = x + (u[0] - 0.5)
    grey = x.mean(1, keepdim=True)
    x = (x - grey) * (2 * u[1]) + grey
    centre = x.mean((1, 2, 3), keepdim=True)
    return (x - centre) * (u[2] + 0.5) + centre


def crop(x: torch.Tensor, u: tuple[float, ...], ratio: float = 0.125) -> torch.Tensor:
    """Shift by up to an eighth of each side, rounded, with the border filled by zeros."""
    down, right = _shift(x.shape[2], ratio, u[0]), _shift(x.shape[3], ratio, u[1])
    height, width = x.shape[2:]
    padded = F.pad(x, (abs(right), abs(right), abs(down), abs(down)))
    top, left = abs(down) + down, abs(right) + right
    return padded[:, :, top : top + height, left : left + width]


def cutout(x: torch.Tensor, u: tuple[float, ...], ratio: float = 0.5) -> torch.Tensor:
    """A rectangle of half of each side, centred anywhere, is set to zero."""
    height, width = x.shape[2:]
    mask = torch.ones(1, 1, height, width, dtype=x.dtype, device=x.device)
    rows = _span(u[0], height, int(height * ratio + 0.5))
    columns = _span(u[1], width, int(width * ratio + 0.5))
    mask[:, :, rows, columns] = 0
    return x * mask


def flip(x: torch.Tensor, u: tuple[float, ...]) -> torch.Tensor:
    """Left to right, with probability one half."""
    return x.flip(3) if u[0] < 0.5 else x


def scale(x: torch.Tensor, u: tuple[float, ...], ratio: float = 1.2) -> torch.Tensor:
    """Each side by its own factor in 1 / 1.2 .. 1.2."""
    low, high = 1 / ratio, ratio
    return _affine(x, [[low + u[0] * (high - low), 0.0, 0.0], [0.0, low + u[1] * (high - low), 0.0]])


def rotate(x: torch.Tensor, u: tuple[float, ...], degrees: float = 15.0) -> torch.Tensor:
    """By up to 15 degrees either way."""
    angle = torch.tensor((2 * u[0] - 1) * degrees).deg2rad()
    cos, sin = float(angle.cos()), float(angle.sin())
    return _affine(x, [[cos, -sin, 0.0], [sin, cos, 0.0]])


def _shift(side: int, ratio: float, u: float) -> int:
    largest = int(side * ratio + 0.5)
    return min(int(u * (2 * largest + 1)), 2 * largest) - largest


def _span(u: float, side: int, length: int) -> slice:
    centre = min(int(u * (side + 1 - length % 2)), side - length % 2)
    return slice(max(centre - length // 2, 0), min(centre + (length + 1) // 2, side))


def _affine(x: torch.Tensor, matrix: list[list[float]]) -> torch.Tensor:
    theta = torch.tensor([matrix], dtype=x.dtype, device=x.device)
    grid = F.affine_grid(theta, [1, *x.shape[1:]], align_corners=True)  # one for all images
    return F.grid_sample(x, grid.expand(len(x), -1, -1, -1), align_corners=True)


OPERATIONS: dict[str, Callable[[torch.Tensor, tuple[float, ...]], torch.Tensor]] = {
    "color": color,
    "crop": crop,
    "cutout": cutout,
    "flip": flip,
    "scale": scale,
    "rotate": rotate,
}
