"""Decoding image files: each file is read once, digested and decoded by a pool of threads, one chunk at a time.

The pixels depend on the files and the options alone, not on the number of threads or the size of a chunk.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

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
    """Resizes images to ``side`` x ``side`` pixels. ``how``: squash or crop; ``filter``: Pillow's name of a filter."""

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

    The next chunk overwrites the array. ``progress(n)`` is called after each chunk. Raises BenchError, naming the
    file, for one that is not an intact image.
    """
    import numpy as np

    shape = (3, resize.side, resize.side)
    step = min(len(names), max(1, CHUNK_BYTES // int(np.prod(shape))))
    buffer = np.empty((step, *shape), dtype=np.uint8)

    def one(i: int, name: str) -> bytes:
        path = folder / name
        content = read(path)
        buffer[i] = pixels(path, content, resize)
        return hashlib.sha256(content).digest()

    # Pillow releases the GIL while it decodes, so that threads use every core.
    with ThreadPoolExecutor(allowed_processors()) as pool:
        for start in range(0, len(names), step):
            part = names[start : start + step]
            digests = b"".join(pool.map(one, range(len(part)), part))
            yield buffer[: len(part)], digests
            progress(len(part))


def read(path: Path) -> bytes:
    """The content of an image file. Raises BenchError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BenchError(f"{path} cannot be read: {error.strerror}. Restore or remove the file.") from None


def pixels(path: Path, content: bytes, resize: Resize | Viewed) -> np.ndarray:
    """An image file as uint8 (3, side, side), converted to RGB. Raises BenchError when it is not an intact image."""
    import numpy as np

    return np.asarray(resize(opened(path, content, "RGB"))).transpose(2, 0, 1)


def opened(path: Path | str, content: bytes, mode: str) -> Image.Image:
    """An image in Pillow's ``mode``; ``path`` is for messages. Raises BenchError when it is not an intact image."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content)) as image:
            # Pillow would clip 16-bit values at 255: a white image and no error.
            if image.mode.startswith(("I", "F")):
                raise ValueError(f"its pixels have more than 8 bits (mode {image.mode})")
            return image.convert(mode)
    except UnidentifiedImageError:
        raise _unreadable(path, "it has no format that Pillow knows") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _unreadable(path, str(error)) from None


def _unreadable(path: Path | str, why: str) -> BenchError:
    return BenchError(f"{path} cannot be read as an image: {why.rstrip('.')}. Restore or remove the file.")
