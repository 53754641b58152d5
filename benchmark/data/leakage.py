"""Finding images that two splits share, by sorted SHA-256 digests of their files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

FILE = "sha256.npy"


def write(folder: Path, digests: bytes) -> None:
    """Write ``digests``, 32 bytes for each file of a split in order, sorted and with the index of each file."""
    import numpy as np

    found = np.frombuffer(digests, dtype="S32")
    order = np.argsort(found, kind="stable")
    records = np.empty(len(found), dtype=[("sha256", "S32"), ("index", "<u4")])
    records["sha256"], records["index"] = found[order], order
    np.save(folder / FILE, records)


def shared(folder: Path, other: Path) -> list[tuple[int, int]]:
    """(index in the split of ``folder``, index in that of ``other``) of files with the same bytes, in order."""
    import numpy as np

    ours, theirs = _read(folder), _read(other)
    if not len(ours) or not len(theirs):
        return []
    place = np.searchsorted(theirs["sha256"], ours["sha256"]).clip(max=len(theirs) - 1)
    same = theirs["sha256"][place] == ours["sha256"]
    return sorted(zip(ours["index"][same].tolist(), theirs["index"][place[same]].tolist(), strict=True))


def _read(folder: Path) -> np.ndarray:
    import numpy as np

    records: np.ndarray = np.load(folder / FILE, mmap_mode="r")
    return records
