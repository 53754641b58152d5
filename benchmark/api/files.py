"""Writing results to files."""

from __future__ import annotations

from pathlib import Path

from ddbench.errors import BenchError
from ddbench.results.plots.canvas import FORMATS
from ddbench.store.durable import write_atomically


def write_file(out: Path, content: bytes) -> None:
    """Write a file atomically, creating its folder. A link stays one, and its target is written; what is no file, such
    as a device or a pipe, is written to and not replaced. Raises BenchError when it cannot be written."""
    try:
        target = out.resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and not target.is_file() and not target.is_dir():
            target.write_bytes(content)
        else:
            write_atomically(target, content)
    except OSError as error:
        raise BenchError(f"cannot write {out}: {error.strerror}. Name a writable file with --out.") from None


def check_format(out: Path) -> Path:
    """``out`` itself. Raises BenchError when its suffix is not a format of figures."""
    if out.suffix.lower() not in FORMATS:
        raise BenchError(f"--out {out} must end in {', '.join(FORMATS)}: its ending is the format.")
    return out
