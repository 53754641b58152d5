"""Writing results to files."""

from __future__ import annotations

import os
from pathlib import Path

from ddbench.errors import BenchError
from ddbench.paths import from_here
from ddbench.results.plots.canvas import FORMATS
from ddbench.store.durable import write_atomically


def write_file(out: Path, content: bytes) -> None:
    """Write a file atomically, creating its folder. A link stays one, and its target is written; what is no file, such
    as a device or a pipe, is written to and not replaced. Raises BenchError when it cannot be written."""
    check_folder(out)
    try:
        target = out.resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        if _is_device(target):
            target.write_bytes(content)
        else:
            write_atomically(target, content)
    except OSError as error:
        raise BenchError(f"cannot write {out}: {error.strerror}. Name a writable file with --out.") from None


def check_folder(out: Path) -> Path:
    """``out`` itself. Raises BenchError when no file can be made there, before any work is spent on its content."""
    target = out.resolve()
    nearest = next((parent for parent in target.parents if parent.exists()), None)
    if nearest and not _is_device(target) and not (nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)):
        why = "is not writable" if nearest.is_dir() else "is a file, not a folder"
        raise BenchError(f"cannot write {out}: {from_here(nearest)} {why}. Name a writable file with --out.")
    return out


def _is_device(path: Path) -> bool:
    """Whether it is there and neither a file nor a folder."""
    return path.exists() and not path.is_file() and not path.is_dir()


def check_format(out: Path) -> Path:
    """``out`` itself. Raises BenchError when its suffix is not a format of figures, or no file can be made there."""
    if out.suffix.lower() not in FORMATS:
        raise BenchError(f"--out {out} must end in {', '.join(FORMATS)}: its ending is the format.")
    return check_folder(out)
