"""Images in a folder: a sub-folder for each class, or image files that a ``metadata.jsonl`` labels."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ddbench.data.files import listing
from ddbench.data.imagefile import is_hidden, is_image
from ddbench.data.imagefile import read as read_file
from ddbench.errors import BenchError

METADATA = "metadata.jsonl"


@dataclass(frozen=True)
class ExternalImage:
    """An image of an external set."""

    where: str
    """for messages: the file, or the row of a table"""
    label: str
    """name of the class as written in the set"""
    content: Callable[[], bytes]
    """returns the encoded image; called once for each image, so that a large set is never in memory as a whole"""
    soft: Mapping[str, float] = field(default_factory=dict)
    """class as written -> probability; empty for hard labels"""


def read(folder: Path) -> list[ExternalImage]:
    """The images of ``folder``, or of its sub-folder ``train``, in the order of their names within a class.

    A ``metadata.jsonl`` of lines ``{"file_name": ..., "label": ..., "soft_label": {class: probability}}`` gives labels
    to images outside class folders, and soft labels to any image. Raises BenchError.
    """
    if (folder / "train").is_dir() and not (folder / METADATA).exists():
        folder = folder / "train"
    about = _metadata(folder / METADATA)
    names = [name for files in listing(folder).values() for name in files.names]
    flat = sorted(p.name for p in folder.iterdir() if p.is_file() and is_image(p.name) and not is_hidden(p.name))
    if flat and not about:
        raise BenchError(
            f"{folder} holds images outside class folders ({flat[0]}) and no {METADATA} that says what they show. Put "
            "each into a folder named as its class."
        )
    return [
        ExternalImage(
            where=str(folder / name),
            label=str(about.get(name, {}).get("label") or _folder_of(folder, name)),
            content=partial(read_file, folder / name),
            soft=_soft(folder / name, about.get(name, {})),
        )
        for name in [*names, *flat]
    ]


def _folder_of(folder: Path, name: str) -> str:
    label, slash, _ = name.partition("/")
    if not slash:
        raise BenchError(f"{folder / METADATA} says nothing of {name}: add a line with its file_name and label.")
    return label


def _metadata(path: Path) -> dict[str, dict[str, Any]]:
    """File name -> its line as JSON. Raises BenchError for a malformed line."""
    if not path.exists():
        return {}
    by_name = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip():
            try:
                entry = json.loads(line)
                by_name[str(entry["file_name"])] = entry
            except (ValueError, KeyError, TypeError):
                raise BenchError(
                    f"{path}, line {number}: not an object with a file_name. Example: "
                    '{"file_name": "n01440764/0.png", "label": "n01440764"}'
                ) from None
    return by_name


def _soft(path: Path, entry: Mapping[str, Any]) -> dict[str, float]:
    soft = entry.get("soft_label") or {}
    if not isinstance(soft, dict) or not all(isinstance(v, int | float) for v in soft.values()):
        raise BenchError(
            f"the soft_label of {path} must be an object from class name to probability: a class is its name, never a "
            "place in a list."
        )
    return soft
