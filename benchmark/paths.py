"""Paths as people read them."""

from __future__ import annotations

import os
from pathlib import Path


def from_here(path: Path | str) -> str:
    """A path as a person types it: from the current folder where it lies in that, else absolute."""
    place = Path(path).absolute()
    return str(place.relative_to(Path.cwd())) if place.is_relative_to(Path.cwd()) else str(place)


def tidy(path: Path) -> Path:
    """``path`` without ``..`` inside, where that names the same place; behind a link it may not."""
    short = Path(os.path.normpath(path))
    return short if short == path or os.path.realpath(short) == os.path.realpath(path) else path
