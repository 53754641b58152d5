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
    """(index in the split of ``folder``, index in that of ``other``) of files with the same bytes: every pair, in
    order."""
    import numpy as np

    ours, theirs = _read(folder), _read(other)
    first = np.searchsorted(theirs["sha256"], ours["sha256"], side="left")
    after = np.searchsorted(theirs["sha256"], ours["sha256"], side="right")
    return sorted(
        (int(ours["index"][i]), int(theirs["index"][j]))
        for i in np.flatnonzero(after > first)
        for j in range(first[i], after[i])
    )


def _read(folder: Path) -> np.ndarray:
    import numpy as np

    records: np.ndarray = np.load(folder / FILE, mmap_mode="r")
    return records
