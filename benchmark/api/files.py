"""Writing results to files."""

from __future__ import annotations

import os
from pathlib import Path

from ddbench.errors import BenchError
from ddbench.paths import from_here
from ddbench.results.plots.canvas import FORMATS
from ddbench.store.durable import write_atomically


def write_file(out: Path, content: bytes) -> None:
    """Write a file atomically, creating its folder. Raises BenchError when it cannot be written."""
    check_folder(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, content)
    except OSError as error:
        raise BenchError(f"cannot write {out}: {error.strerror}. Name a writable file with --out.") from None


def check_folder(out: Path) -> Path:
    """``out`` itself. Raises BenchError when no file can be made there, before any work is spent on its content."""
    nearest = next((parent for parent in out.absolute().parents if parent.exists()), None)
    if nearest is not None and not (nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)):
        why = "is not writable" if nearest.is_dir() else "is a file, not a folder"
        raise BenchError(f"cannot write {out}: {from_here(nearest)} {why}. Name a writable file with --out.")
    return out


def check_format(out: Path) -> Path:
    """``out`` itself. Raises BenchError when its suffix is not a format of figures, or no file can be made there."""
    if out.suffix.lower() not in FORMATS:
        raise BenchError(f"--out {out} must end in {', '.join(FORMATS)}: its ending is the format.")
    return check_folder(out)
