"""Writing results to files."""

from __future__ import annotations

from pathlib import Path

from ddbench.errors import BenchError
from ddbench.results.plots.canvas import FORMATS
from ddbench.store.durable import write_atomically


def write_file(out: Path, content: bytes) -> None:
    """Write a file atomically, creating its folder. Raises BenchError when it cannot be written."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, content)
    except OSError as error:
        raise BenchError(f"cannot write {out}: {error.strerror}. Name a writable file with --out.") from None


def check_format(out: Path) -> Path:
    """``out`` itself. Raises BenchError when its suffix is not a format of figures."""
    if out.suffix.lower() not in FORMATS:
        raise BenchError(f"--out {out} must end in {', '.join(FORMATS)}: its ending is the format.")
    return out
