"""Images as parts of a page: the tiles of a class of a distilled set as one PNG, in its own pixels."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ddbench.results.pictures import Pictures
from ddbench.results.report.content import Gallery

if TYPE_CHECKING:
    import numpy as np

MOST_CLASSES = 10
MOST_IMAGES = 10
"""of a class"""
MOST_BYTES = 1_500_000
"""of pixels in a gallery: fewer images of a class are shown where they are large"""
LARGEST_SIDE = 64
"""pixels; larger images are shown at this size"""
WIDE = 1000
"""of all classes side by side, in CSS pixels, if their tiles can be stacked so"""
GAP = 1
"""transparent pixels between tiles"""
TARGET_SINGLE, TARGET = 48, 24
"""side of a tile on the page, in CSS pixels, where one or several stand for a class"""


@dataclass(frozen=True)
class Tile:
    """The images of a class as one picture."""

    uri: str
    width: int
    """on the page, in CSS pixels: a whole multiple of the picture's"""
    height: int
    alt: str


@dataclass(frozen=True)
class Row:
    """A method, or the real images (``method`` is None)."""

    method: str | None
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class PictureTable:
    """Methods as rows, classes as columns."""

    title: str
    classes: tuple[str, ...]
    rows: tuple[Row, ...]
    caption: str


def picture_table(gallery: Gallery) -> PictureTable:
    """The pictures of a gallery, the first images of its first classes."""
    first = next(iter(gallery.sets.values()))
    classes = first.classes[:MOST_CLASSES]
    channels, height, width = first.shape
    side = min(max(height, width), LARGEST_SIDE)
    each = (len(gallery.sets) + 1) * len(classes) * channels * side * side
    count = max(1, min(gallery.ipc, MOST_IMAGES, MOST_BYTES // each))
    factor = max(1, round((TARGET_SINGLE if count == 1 else TARGET) / side))
    shape = (_across(count, (WIDE // len(classes) - 10) // ((side + GAP) * factor)), factor)
    rows = []
    if gallery.among is not None:
        rows.append(Row(None, _tiles(gallery.among.real, "real train images", classes, count, *shape)))
    rows += [Row(method, _tiles(data, method, classes, count, *shape)) for method, data in gallery.sets.items()]
    parts = [
        f"Distilled set of seed {gallery.seed}"
        + (f", the first {count} of {gallery.ipc} images of a class" if count < gallery.ipc else "")
        + (f", the first {len(classes)} of {len(first.classes)} classes" if len(classes) < len(first.classes) else "")
        + "."
    ]
    if side < max(height, width):
        parts.append(f"Shown at {side} pixels instead of {max(height, width)}.")
    if gallery.among is not None:
        parts.append("The first row is a random draw of the train images.")
    return PictureTable(
        f"{gallery.dataset}, IPC {gallery.ipc}", classes, tuple(rows), " ".join((*parts, *gallery.notes))
    )


def data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _across(count: int, most: int) -> int:
    """How many of ``count`` tiles stand in a row, at most ``most``: the last row misses fewest, and rows are few."""
    most = max(1, min(count, most))
    return min(range(min(2, most), most + 1), key=lambda n: (-count % n, -n))


def _tiles(
    data: Pictures, what: str, classes: tuple[str, ...], count: int, across: int, factor: int
) -> tuple[Tile, ...]:
    """A tile for each class: its first ``count`` images, ``across`` in a row, enlarged by ``factor`` on the page."""
    found = []
    for name in classes:
        images = data.of_class(name)[:count]
        width, height, png = _mosaic(images, across)
        alt = f"{what}, class {name}: {len(images)} image{'s' * (len(images) != 1)}"
        found.append(Tile(data_uri(png), width * factor, height * factor, alt))
    return tuple(found)


def _mosaic(images: np.ndarray, columns: int) -> tuple[int, int, bytes]:
    """Width, height and PNG of uint8 (n, C, H, W) side by side, grey or RGB with a transparent gap."""
    import numpy as np
    from PIL import Image

    tiles = [_small(image) for image in images]
    side = tiles[0].shape[:2] if tiles else (1, 1)
    rows = max(1, -(-len(tiles) // columns))
    grey = bool(tiles) and tiles[0].shape[2] == 1
    canvas = np.zeros((rows * (side[0] + GAP) - GAP, columns * (side[1] + GAP) - GAP, 2 if grey else 4), np.uint8)
    for i, tile in enumerate(tiles):
        top, left = i // columns * (side[0] + GAP), i % columns * (side[1] + GAP)
        place = canvas[top : top + side[0], left : left + side[1]]
        place[..., :-1], place[..., -1] = tile, 255
    written = io.BytesIO()
    Image.fromarray(canvas, "LA" if grey else "RGBA").save(written, "png", optimize=True)
    return canvas.shape[1], canvas.shape[0], written.getvalue()


def _small(image: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 1 or 3), of no side above ``LARGEST_SIDE``."""
    import numpy as np
    from PIL import Image

    pixels = image[: 1 if len(image) < 3 else 3].transpose(1, 2, 0)
    if max(pixels.shape[:2]) <= LARGEST_SIDE:
        return pixels
    scale = LARGEST_SIDE / max(pixels.shape[:2])
    size = round(pixels.shape[1] * scale), round(pixels.shape[0] * scale)
    whole = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    return np.asarray(whole.resize(size, Image.Resampling.BOX)).reshape(size[1], size[0], -1)
