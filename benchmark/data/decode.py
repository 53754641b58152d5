"""Decoding image files: each file is read once, digested and decoded by a pool of threads, one chunk at a time.

The pixels depend on the files and the options alone, not on the number of threads or the size of a chunk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ddbench.data.imagefile import opened, read
from ddbench.data.invalid import InvalidData
from ddbench.errors import BenchError
from ddbench.processors import allowed_processors
from ddbench.types import ImageView

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

CHUNK_BYTES = 32 * 2**20
"""bytes of decoded pixels in memory at a time"""


@dataclass(frozen=True)
class Resize:
    """Resizes images to ``side`` x ``side`` pixels. ``how``: squash, or crop, which resizes the largest centred square
    (Pillow's ``ImageOps.fit``); ``filter``: Pillow's name of a filter."""

    side: int
    how: str
    filter: str

    def __call__(self, rgb: Image.Image) -> Image.Image:
        from PIL import Image, ImageOps

        size, resample = (self.side, self.side), Image.Resampling[self.filter.upper()]
        return rgb.resize(size, resample) if self.how == "squash" else ImageOps.fit(rgb, size, resample)


@dataclass(frozen=True)
class Viewed:
    """How an image file becomes what a protocol judges: ``ImageView``, with Pillow alone, byte for byte what
    torchvision's Resize and CenterCrop make of the opened file."""

    view: ImageView

    @property
    def side(self) -> int:
        return self.view.side

    def __call__(self, rgb: Image.Image) -> Image.Image:
        from PIL import Image

        short, shorter, side = min(rgb.size), self.view.shorter, self.view.side
        width, height = (shorter * n // short for n in rgb.size)
        resized = rgb.resize((width, height), Image.Resampling[self.view.filter.upper()])
        left, top = round((width - side) / 2), round((height - side) / 2)
        return resized.crop((left, top, left + side, top + side))


def decoded(
    folder: Path, names: Sequence[str], resize: Resize | Viewed, progress: Callable[[int], None] = lambda n: None
) -> Iterator[tuple[np.ndarray, bytes]]:
    """Chunks of images, uint8 (n, 3, side, side), in the order of ``names``, each with the n SHA-256 digests of the
    files, 32 bytes each.

    The next chunk overwrites the array. ``progress(n)`` is called after each chunk. Raises InvalidData, naming every
    file that is not an intact image, once all have been read; no chunk comes after the first of them.
    """
    import numpy as np

    shape = (3, resize.side, resize.side)
    step = min(len(names), max(1, CHUNK_BYTES // int(np.prod(shape))))
    buffer = np.empty((step, *shape), dtype=np.uint8)
    broken: list[str] = []

    def one(i: int, name: str) -> bytes | BenchError:
        path = folder / name
        try:
            content = read(path)
            buffer[i] = pixels(path, content, resize)
        except BenchError as error:
            return error
        return hashlib.sha256(content).digest()

    # Pillow releases the GIL while it decodes, so that threads use every core.
    with ThreadPoolExecutor(allowed_processors()) as pool:
        for start in range(0, len(names), step):
            part = names[start : start + step]
            found = list(pool.map(one, range(len(part)), part))
            broken += [str(error) for error in found if isinstance(error, BenchError)]
            if not broken:
                yield buffer[: len(part)], b"".join(digest for digest in found if isinstance(digest, bytes))
            progress(len(part))
    if broken:
        raise InvalidData(f"{len(broken)} of {len(names)} image files in {folder} cannot be read", broken)


def pixels(path: Path, content: bytes, resize: Resize | Viewed) -> np.ndarray:
    """An image file as uint8 (3, side, side), converted to RGB. Raises BenchError when it is not an intact image."""
    import numpy as np

    return np.asarray(resize(opened(path, content, "RGB"))).transpose(2, 0, 1)
