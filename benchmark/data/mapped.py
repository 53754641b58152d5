"""Decoded images in one file that is mapped into memory, larger than it if need be, and shared by all processes."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddbench.errors import BenchError
from ddbench.types import LabeledImages

if TYPE_CHECKING:
    import numpy as np
    import torch

FORMAT = 1
"""part of the name of cached folders: increased when the files in them, or the way of decoding, change"""

IMAGES, LABELS, ABOUT = "images.uint8", "labels.npy", "images.json"


def write(
    folder: Path, shape: Sequence[int], chunks: Iterable[np.ndarray], labels: np.ndarray, about: dict[str, Any]
) -> None:
    """Write images of ``shape`` (N, C, H, W), given in ``chunks``, their labels, int64 (N,), and a description.

    Raises BenchError, before the first chunk is read, when the disk has too little space.
    """
    import numpy as np

    needed, free = math.prod(shape), shutil.disk_usage(folder).free
    if needed > free:
        raise BenchError(
            f"the decoded images take {needed / 1e9:.1f} GB and {folder.parent} has {free / 1e9:.1f} GB left. "
            "Make room, name a store on another disk with --store DIR, or set a smaller resolution."
        )
    with (folder / IMAGES).open("wb") as file:
        for chunk in chunks:
            file.write(np.ascontiguousarray(chunk).data)
        file.flush()
        os.fsync(file.fileno())
    np.save(folder / LABELS, labels)
    described = {"format": FORMAT, "count": shape[0], "shape": list(shape), "dtype": "uint8", **about}
    (folder / ABOUT).write_text(json.dumps(described, indent=1))


def load(folder: Path, classes: tuple[str, ...]) -> LabeledImages:
    """The images that ``write`` wrote. Changes of the tensor do not reach the file or other readers.

    Raises BenchError when the files are damaged.
    """
    import numpy as np
    import torch

    try:
        shape = json.loads((folder / ABOUT).read_text())["shape"]
        if (folder / IMAGES).stat().st_size != math.prod(shape):
            raise ValueError(f"{IMAGES} has another size than {ABOUT} says")
        images, labels = _map(folder / IMAGES, shape), torch.from_numpy(np.load(folder / LABELS))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BenchError(
            f"the cached images in {folder} cannot be used: {error}. Remove the folder; it is made again."
        ) from None
    return LabeledImages(images=images, labels=labels, classes=classes)


def _map(path: Path, shape: Sequence[int]) -> torch.Tensor:
    """The file as a tensor of private pages, read on access and copied on write.

    Unlike ``np.memmap(mode="c")``, it reserves no memory for pages that might be written to, which Linux refuses for a
    file larger than the memory.
    """
    import mmap

    import numpy as np
    import torch

    no_reserve = getattr(mmap, "MAP_NORESERVE", 0x4000)  # Python has the name from 3.13; the number is Linux's
    with path.open("rb") as file:
        pages = mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE | no_reserve, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    return torch.from_numpy(np.frombuffer(pages, dtype=np.uint8).reshape(shape))
