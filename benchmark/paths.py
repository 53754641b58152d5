"""Paths as people read them."""

from __future__ import annotations

import os
from pathlib import Path


def tidy(path: Path) -> Path:
    """``path`` without ``..`` inside, where that names the same place; behind a link it may not."""
    short = Path(os.path.normpath(path))
    return short if short == path or os.path.realpath(short) == os.path.realpath(path) else path
