"""Listing the image files in the class folders of a dataset, once in each process.

The cached listing has names and a digest of names and sizes for each class, so that planning with a large dataset walks
over its folders once, however often counts and fingerprints are needed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ddbench.data.imagefile import is_hidden, is_image
from ddbench.errors import BenchError

WALKERS = 8
"""folders listed in parallel, since a network file system answers slowly"""


@dataclass(frozen=True)
class ClassFiles:
    """The image files of one class."""

    names: tuple[str, ...]
    """``class/file``, sorted"""
    digest: str
    """SHA-256 of the file names with their sizes"""


def part_folder(name: str, root: str, part: str) -> Path:
    """The folder of a part (``train``, ``val``), absolute. Raises BenchError when there is none."""
    setting = f"--set data.{name}.root=FOLDER"
    if not root:
        raise BenchError(f"where is {name}? Name the folder that holds its train/ and val/ with {setting}")
    given = Path(root).expanduser()
    folder = Path.cwd() / given / part
    if not folder.is_dir():
        relative = "" if given.is_absolute() else f" (root {root!r} is relative to the current folder)"
        raise BenchError(
            f"{name}: there is no folder {folder}{relative}. Name the one that holds train/ and val/ with {setting}"
        )
    return folder


def checked(name: str, folder: Path, classes: Iterable[str]) -> Mapping[str, ClassFiles]:
    """Class -> files. Raises BenchError when the folders are not exactly ``classes``, or one holds no image."""
    found, wanted = listing(folder), set(classes)
    if found.keys() != wanted:
        missing, extra = sorted(wanted - found.keys()), sorted(found.keys() - wanted)
        what = f"lacks {missing[0]}" if missing else f"has {extra[0]}, which is none of its classes"
        raise BenchError(
            f"{folder} is not {name}: it {what} ({len(missing)} missing, {len(extra)} extra class folders). It must "
            "hold one folder of images for each class, named as the class."
        )
    for label, files in found.items():
        if not files.names:
            raise BenchError(
                f"{name}: the class folder {folder / label} holds no images. Put some there or name "
                f"another folder with --set data.{name}.root=FOLDER"
            )
    return found


@lru_cache(maxsize=8)
def listing(folder: Path) -> Mapping[str, ClassFiles]:
    """Class -> files, of every class folder in ``folder``, sorted by name; hidden folders and files are ignored.

    Raises BenchError for a folder or file that cannot be read, such as a dangling link.
    """
    with os.scandir(folder) as entries:
        labels = sorted(e.name for e in entries if e.is_dir() and not is_hidden(e.name))
    with ThreadPoolExecutor(WALKERS) as pool:
        return dict(zip(labels, pool.map(lambda label: _class_files(folder, label), labels), strict=True))


def _class_files(folder: Path, label: str) -> ClassFiles:
    sizes: dict[str, int] = {}
    try:
        with os.scandir(folder / label) as entries:
            for entry in entries:
                if is_image(entry.name) and not is_hidden(entry.name):
                    sizes[entry.name] = entry.stat().st_size
    except OSError as error:
        raise BenchError(f"{error.filename} cannot be read: {error.strerror}. Restore or remove it.") from None
    found = hashlib.sha256()
    for name in sorted(sizes):
        found.update(f"{name}:{sizes[name]}\n".encode())
    return ClassFiles(names=tuple(f"{label}/{name}" for name in sorted(sizes)), digest=found.hexdigest())
