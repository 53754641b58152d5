"""The operations of DSA on the images that a classifier is trained on: one operation for a batch, each image with its
own parameters (``DiffAugment`` without a seed in VICO-UoE/DatasetCondensation, utils.py).

``ddbench.learning.dsa`` has the same operations with one set of parameters for all images, as distillation wants them;
images are normalised here too, so that zero is the mean colour.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F

Numbers = torch.Tensor
"""float (N, 3), uniform in [0, 1): what an operation is drawn from, a row for each image"""


ONE = "changed by "


def augment_one(images: torch.Tensor, operations: tuple[str, ...], random: torch.Generator) -> torch.Tensor:
    """Normalised float images (N, C, H, W), changed by one of ``operations``, drawn for all of them."""
    return changed_by_one(images, draw_one(len(images), operations, random))


def draw_one(n: int, operations: tuple[str, ...], random: torch.Generator) -> dict[str, torch.Tensor]:
    """One of ``operations`` for ``n`` images, and the numbers of each: by the name of the operation, so that batches
    that are changed alike have one layout."""
    name = operations[int(torch.randint(len(operations), (), generator=random))]
    return {f"{ONE}{name}": torch.rand(n, 3, generator=random)}


def changed_by_one(images: torch.Tensor, drawn: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """``images`` after the operation that ``drawn`` names, where there is one."""
    for name, numbers in drawn.items():
        if name.startswith(ONE):
            images = OPERATIONS[name.removeprefix(ONE)](images, numbers.to(images.device))
    return images


def color(x: torch.Tensor, u: Numbers) -> torch.Tensor:
    brightness, saturation, contrast = u.T[:, :, None, None, None]
    x = x + (brightness - 0.5)
    grey = x.mean(1, keepdim=True)
    x = (x - grey) * (2 * saturation) + grey
    centre = x.mean((1, 2, 3), keepdim=True)
    return (x - centre) * (contrast + 0.5) + centre


def crop(x: torch.Tensor, u: Numbers, ratio: float = 0.125) -> torch.Tensor:
    height, width = x.shape[2:]
    down, right = (_shifts(side, ratio, u[:, axis]) for axis, side in enumerate((height, width)))
    rows, columns = _moved(down, height), _moved(right, width)
    inside = ((rows >= 0) & (rows < height))[:, None, :, None] & ((columns >= 0) & (columns < width))[:, None, None, :]
    image = torch.arange(len(x), device=x.device)[:, None, None, None]
    plane = torch.arange(x.shape[1], device=x.device)[None, :, None, None]
    found = x[
        image,
        plane,
        rows.clamp(0, height - 1)[:, None, :, None],
        columns.clamp(0, width - 1)[:, None, None, :],
    ]
    return found * inside


def cutout(x: torch.Tensor, u: Numbers, ratio: float = 0.5) -> torch.Tensor:
    rows, columns = (_cut(side, ratio, u[:, axis]) for axis, side in enumerate(x.shape[2:]))
    return x * ~(rows[:, None, :, None] & columns[:, None, None, :])


def flip(x: torch.Tensor, u: Numbers) -> torch.Tensor:
    return torch.where((u[:, 0] < 0.5)[:, None, None, None], x.flip(3), x)


def scale(x: torch.Tensor, u: Numbers, ratio: float = 1.2) -> torch.Tensor:
    low, high = 1 / ratio, ratio
    zero = torch.zeros_like(u[:, 0])
    wide, tall = low + u[:, 0] * (high - low), low + u[:, 1] * (high - low)
    return _affine(x, torch.stack([wide, zero, zero, zero, tall, zero], 1))


def rotate(x: torch.Tensor, u: Numbers, degrees: float = 15.0) -> torch.Tensor:
    angle = ((2 * u[:, 0] - 1) * degrees).deg2rad()
    zero = torch.zeros_like(angle)
    return _affine(x, torch.stack([angle.cos(), -angle.sin(), zero, angle.sin(), angle.cos(), zero], 1))


def _shifts(side: int, ratio: float, u: torch.Tensor) -> torch.Tensor:
    largest = int(side * ratio + 0.5)
    return (u * (2 * largest + 1)).long().clamp(max=2 * largest) - largest


def _moved(shift: torch.Tensor, side: int) -> torch.Tensor:
    return torch.arange(side, device=shift.device) + shift[:, None]


def _cut(side: int, ratio: float, u: torch.Tensor) -> torch.Tensor:
    """Which places of a side the rectangle of each image covers: bool (N, side)."""
    length = int(side * ratio + 0.5)
    centre = (u * (side + 1 - length % 2)).long().clamp(max=side - length % 2)[:, None]
    place = torch.arange(side, device=u.device)
    return (place >= centre - length // 2) & (place < centre + (length + 1) // 2)


def _affine(x: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    grid = F.affine_grid(matrix.view(-1, 2, 3).to(x.dtype), list(x.shape), align_corners=True)
    return F.grid_sample(x, grid, align_corners=True)


OPERATIONS: dict[str, Callable[[torch.Tensor, Numbers], torch.Tensor]] = {
    "color": color,
    "crop": crop,
    "cutout": cutout,
    "flip": flip,
    "scale": scale,
    "rotate": rotate,
}
