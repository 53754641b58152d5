"""Small image files in folders, each unlike all others."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from ddbench.data.layout import forget


def write_images(root: Path, names: Iterable[str], side: int = 6) -> Path:
    """A picture of noise at each of ``names``, which is its seed; the suffix says the format. Listings start afresh."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng(zlib.crc32(name.encode()))
        Image.fromarray(random.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(path)
    forget()
    return root


def birds(root: Path, train: int = 3, test: int = 2, classes: Iterable[str] = ("jay", "owl")) -> Path:
    """``root/train`` and ``root/val`` with class folders."""
    parts = (("train", train), ("val", test))
    return write_images(root, [f"{part}/{c}/{i}.png" for part, n in parts for c in classes for i in range(n)])
