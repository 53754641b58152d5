"""What a run says once about a folder of images: what is visible in it and not used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ddbench.data.files import Unused
from ddbench.data.imagefile import normalised
from ddbench.data.layout import other_parts, part

WNIDS = "wnids.txt"
"""Tiny-ImageNet's list of its classes, beside its splits"""


def remarks_on(name: str, root: str, train: Path, test: Path, classes: Iterable[str]) -> tuple[str, ...]:
    """Sentences about the dataset ``name``, whose splits are the folders ``train`` and ``test``. Raises BenchError."""
    said = [
        f"{name}: not used in {folder}: {counted(unused)}"
        for folder in (train, test)
        if (unused := part(folder).unused)
    ]
    if others := other_parts(root):
        said.append(f"{name}: the test split is {test}; {', '.join(map(str, others))} is not read")
    listed = train.parent / WNIDS
    if listed.is_file():
        wanted = {normalised(line.strip()) for line in listed.read_text(encoding="utf-8").splitlines() if line.strip()}
        if wanted != (have := set(classes)):
            said.append(f"{name}: {listed} lists {len(wanted)} classes, {len(wanted & have)} of the {len(have)} here")
    return tuple(said)


def counted(unused: Mapping[str, Unused]) -> str:
    """``3 files .txt (a/x.txt, ...), 1 empty folders (a/b)``."""
    return ", ".join(
        f"{found.count} {sort} ({found.example}{', ...' if found.count > 1 else ''})" for sort, found in unused.items()
    )
