"""Listing the image files below a folder, once for each study of a process.

The cached listing has names and a digest of names and sizes for each class, so that planning with a large dataset walks
over its folders once, however often counts and fingerprints are needed. What is visible and no image is counted.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from ddbench.data.imagefile import is_hidden, is_image, normalised
from ddbench.errors import BenchError

WALKERS = 8
"""folders listed in parallel, since a network file system answers slowly"""

EMPTY, LOOSE = "empty folders", "images in no class folder"


@dataclass(frozen=True)
class ClassFiles:
    """The image files of one class."""

    names: tuple[str, ...]
    """paths relative to the listed folder, sorted"""
    sizes: tuple[int, ...]
    """bytes"""
    digest: str
    """SHA-256 of the names within the class folder, with their sizes"""


@dataclass(frozen=True)
class Unused:
    """Files or folders of one sort that are visible and not used."""

    count: int
    example: str
    """the first, relative to the listed folder"""


@dataclass(frozen=True)
class Scan:
    """What a folder holds."""

    classes: Mapping[str, ClassFiles]
    """name of each class folder, in Unicode NFC -> its image files at any depth; sorted by the names"""
    loose: Mapping[str, int]
    """name of each image file directly in the folder -> bytes; sorted"""
    files: tuple[str, ...]
    """other visible files directly in the folder, sorted"""
    unused: Mapping[str, Unused]
    """sort (a suffix, EMPTY) -> what was found inside the class folders"""


@lru_cache(maxsize=8)
def scan(folder: Path) -> Scan:
    """What ``folder`` holds; hidden files and folders are ignored.

    Raises BenchError for a folder or file that cannot be read, such as a dangling link, a link to a folder around it,
    and two class folders whose names are equal in Unicode NFC.
    """
    try:
        top = _entries(folder)
        with ThreadPoolExecutor(WALKERS) as pool:
            walks = list(pool.map(lambda e: _walk(folder, e.name), top.folders))
    except OSError as error:
        raise BenchError(f"{error.filename} cannot be read: {error.strerror}. Restore or remove it.") from None
    classes: dict[str, ClassFiles] = {}
    unused: dict[str, list[str]] = {}
    for entry, walk in sorted(zip(top.folders, walks, strict=True), key=lambda pair: normalised(pair[0].name)):
        label = normalised(entry.name)
        if label in classes:
            raise BenchError(
                f"{folder} holds two folders of the one name {label!r} in Unicode NFC. Merge or rename one."
            )
        classes[label] = class_files(walk.sizes, entry.name)
        for sort, paths in walk.unused.items():
            unused.setdefault(sort, []).extend(paths)
    return Scan(
        classes=classes,
        loose={name: top.images[name] for name in sorted(top.images)},
        files=tuple(sorted(top.others)),
        unused={sort: Unused(len(unused[sort]), min(unused[sort])) for sort in sorted(unused)},
    )


def listing(folder: Path) -> Mapping[str, ClassFiles]:
    """Class -> files, of every class folder in ``folder``: ``scan(folder).classes``. Raises BenchError."""
    return scan(folder).classes


def class_files(sizes: Mapping[str, int], label: str = "") -> ClassFiles:
    """The files of a class: path -> bytes. ``label``: their class folder, which is no part of the digest."""
    names = tuple(sorted(sizes))
    found = hashlib.sha256()
    for name in names:
        found.update(f"{within(label, name)}:{sizes[name]}\n".encode())
    return ClassFiles(names, tuple(sizes[name] for name in names), found.hexdigest())


def within(label: str, name: str) -> str:
    """The path ``name`` within the class folder ``label``; as it is when it lies elsewhere."""
    return name.removeprefix(f"{label}/") if label else name


def unused_files(names: Iterable[str]) -> dict[str, Unused]:
    """Suffix -> the files ``names`` that have it."""
    by_suffix: dict[str, list[str]] = {}
    for name in names:
        by_suffix.setdefault(_suffix(name), []).append(name)
    return {suffix: Unused(len(found), min(found)) for suffix, found in sorted(by_suffix.items())}


def _suffix(name: str) -> str:
    return f"files {Path(name).suffix.lower() or 'without a suffix'}"


@dataclass
class _Entries:
    """The visible entries of one folder."""

    folders: list[os.DirEntry[str]] = field(default_factory=list)
    images: dict[str, int] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)


def _entries(folder: Path | str) -> _Entries:
    found = _Entries()
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_hidden(entry.name):
                continue
            if entry.is_dir():
                found.folders.append(entry)
            elif is_image(entry.name):
                found.images[entry.name] = entry.stat().st_size
            else:
                found.others.append(entry.name)
    return found


@dataclass
class _Walk:
    sizes: dict[str, int] = field(default_factory=dict)
    unused: dict[str, list[str]] = field(default_factory=dict)


def _walk(folder: Path, label: str) -> _Walk:
    """The image files below ``folder/label`` at any depth, by their path relative to ``folder``, and what is unused."""
    walk = _Walk()
    waiting: list[tuple[str, tuple[str, ...]]] = [(label, ())]
    while waiting:
        place, above = waiting.pop()
        found = _entries(folder / place)
        if found.folders:
            real = os.path.realpath(folder / place)
            if real in above:
                raise BenchError(f"{folder / place} is a link to a folder that it lies in. Remove the link.")
            waiting.extend((f"{place}/{entry.name}", (*above, real)) for entry in found.folders)
        walk.sizes.update((f"{place}/{name}", size) for name, size in found.images.items())
        for name in found.others:
            walk.unused.setdefault(_suffix(name), []).append(f"{place}/{name}")
        if place != label and not (found.folders or found.images or found.others):
            walk.unused.setdefault(EMPTY, []).append(place)
    return walk
