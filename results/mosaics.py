"""Pictures of distilled sets: every image of a set, or methods side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddbench.types import LabeledImages

if TYPE_CHECKING:
    import torch
    from PIL import Image

MOST_COLUMNS = 10
TILE = 32
"""smallest side of a tile in pixels; smaller images are enlarged without smoothing"""

LONGEST_LEVEL_NAME = 6
"""characters that fit over a tile; longer class names are turned"""


def set_mosaic(data: LabeledImages) -> Image.Image:
    """A row for each class, its first ten images as columns."""
    return _tiled([list(data.of_class(k)[:MOST_COLUMNS]) for k in range(len(data.classes))])


def save_overview(path: Path, sets: Mapping[str, LabeledImages], title: str) -> None:
    """A labelled picture with a row for each method and, as columns, the first image of each of up to ten classes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    names = next(iter(sets.values())).classes[:MOST_COLUMNS]
    mosaic = _tiled([[data.of_class(data.classes.index(name))[0] for name in names] for data in sets.values()])
    cell = 0.62
    figure = Figure(figsize=(cell * len(names) + 1.6, cell * len(sets) + 0.9), dpi=160, layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(mosaic, cmap="gray" if mosaic.mode == "L" else None, interpolation="nearest")
    width, height = mosaic.size
    long = max(map(len, names)) > LONGEST_LEVEL_NAME
    turned: dict[str, Any] = {"rotation": 35, "ha": "left", "rotation_mode": "anchor"} if long else {}
    axes.set_xticks([(i + 0.5) * width / len(names) for i in range(len(names))], names, fontsize=9, **turned)
    axes.set_yticks([(i + 0.5) * height / len(sets) for i in range(len(sets))], list(sets), fontsize=9)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    figure.suptitle(title, fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})


def _tiled(rows: list[list[torch.Tensor]]) -> Image.Image:
    """Tiles (C, H, W) uint8 with a gap of one tile pixel, enlarged by a whole factor."""
    import numpy as np
    from PIL import Image

    channels, height, width = rows[0][0].shape
    factor = max(1, -(-TILE // height))
    gap = 2
    tall, wide = height * factor + gap, width * factor + gap
    canvas = np.full((tall * len(rows) + gap, wide * max(map(len, rows)) + gap, channels), 128, dtype=np.uint8)
    for i, row in enumerate(rows):
        for j, tile in enumerate(row):
            pixels = tile.permute(1, 2, 0).numpy().repeat(factor, 0).repeat(factor, 1)
            top, left = i * tall + gap, j * wide + gap
            canvas[top : top + tall - gap, left : left + wide - gap] = pixels
    return Image.fromarray(canvas[:, :, 0] if channels == 1 else canvas)
