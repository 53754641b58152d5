"""Paths as people read them, and the folder of what may be made again."""

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


def cache_folder() -> Path | None:
    """The folder in the user's account for what may be made again; nothing of a store or a key lies there.

    None where the account has no home.
    """
    try:
        caches = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    except RuntimeError:
        return None
    return Path(caches) / "ddbench"
