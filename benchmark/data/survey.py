"""What a dataset holds, found by reading every image once."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from ddbench.data.files import Unused
from ddbench.data.huggingface import HuggingFace
from ddbench.data.imagefile import opened, read
from ddbench.data.imagefolder import ImageFolder
from ddbench.data.layout import part
from ddbench.data.progress import told
from ddbench.errors import BenchError
from ddbench.images import MODES
from ddbench.types import Dataset, Split

ORIENTATION = 0x0112
"""EXIF's tag of a turn; 1 is none"""

AT_ONCE = 256
"""files whose facts wait at a time"""

Digests = list[tuple[str, bytes]]
"""name of each intact image, and a digest of its content"""


@dataclass
class SplitSurvey:
    """What one split holds."""

    split: Split
    folder: str = ""
    """empty for a dataset that is not a folder of images"""
    labels: str = ""
    """the annotation file that names the classes; empty for class folders"""
    counts: dict[str, int] = field(default_factory=dict)
    """class -> images"""
    sizes: dict[str, int] = field(default_factory=dict)
    """``width x height`` -> intact images"""
    modes: dict[str, int] = field(default_factory=dict)
    """Pillow's mode of the file"""
    formats: dict[str, int] = field(default_factory=dict)
    suffixes: dict[str, int] = field(default_factory=dict)
    turned: int = 0
    """images for which EXIF asks for a turn, which is not made"""
    unused: Mapping[str, Unused] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    """a sentence for each image that cannot be used"""
    repeated: list[list[str]] = field(default_factory=list)
    """groups of images with the same content"""
    fingerprint: str = ""
    """what stands for the split in keys; empty where it could not be taken"""


@dataclass
class Survey:
    """What a dataset holds."""

    name: str
    classes: tuple[str, ...]
    splits: list[SplitSurvey] = field(default_factory=list)
    shared: list[tuple[str, str]] = field(default_factory=list)
    """(test image, train or validation image) with the same content: every pair"""
    wrong: list[str] = field(default_factory=list)
    """a sentence for each split that is not as the dataset declares"""

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def survey(dataset: Dataset) -> Survey:
    """Read every image of ``dataset``. Raises BenchError when not even its classes are known."""
    found = Survey(dataset.name, dataset.classes)
    digests: dict[Split, Digests] = {}
    for split in get_args(Split):
        if split == "validation" and not getattr(dataset, "holdout", 1):
            continue
        try:
            if isinstance(dataset, ImageFolder):
                seen, digests[split] = _of_folder(dataset, split)
            elif isinstance(dataset, HuggingFace):
                seen, digests[split] = _of_rows(dataset, split)
            else:
                seen, digests[split] = _of_images(dataset, split)
            found.splits.append(seen)
            seen.fingerprint = dataset.fingerprint(split)
        except BenchError as error:
            if split != "validation" or isinstance(dataset, ImageFolder):  # others need not have one
                found.wrong.append(f"{split}: {error}")
    for seen in found.splits:
        groups = _by_digest(digests[seen.split]).values()
        seen.repeated = [names for names in groups if len(names) > 1]
    others = _by_digest([*digests.get("train", ()), *digests.get("validation", ())])
    found.shared = [(test, name) for test, digest in digests.get("test", ()) for name in others.get(digest, ())]
    return found


def _count(counts: dict[str, int], value: str) -> None:
    counts[value] = counts.get(value, 0) + 1


def _by_digest(digests: Digests) -> dict[bytes, list[str]]:
    groups: dict[bytes, list[str]] = {}
    for name, digest in digests:
        groups.setdefault(digest, []).append(name)
    return groups


def _of_images(dataset: Dataset, split: Split) -> tuple[SplitSurvey, Digests]:
    """The survey of a split without files. Raises BenchError when it cannot be loaded."""
    images = dataset.load(split)
    channels, height, width = images.shape
    counts = images.labels.bincount(minlength=len(images.classes)).tolist()
    seen = SplitSurvey(split, counts=dict(zip(images.classes, counts, strict=True)))
    seen.sizes[f"{width} x {height}"] = len(images)
    seen.modes[MODES.get(channels, f"{channels} channels")] = len(images)
    rows = (hashlib.sha256(image.numpy().tobytes()).digest() for image in images.images)
    return seen, [(f"{split} image {i}", digest) for i, digest in enumerate(rows)]


def _of_rows(dataset: HuggingFace, split: Split) -> tuple[SplitSurvey, Digests]:
    """The survey of a split of encoded images in rows. Raises BenchError when there are none."""
    counts = dataset.counts(split)
    if not sum(counts):
        dataset.fingerprint(split)  # which says why
    seen = SplitSurvey(split, dataset.root, counts=dict(zip(dataset.classes, counts, strict=True)))
    digests: Digests = []
    with told(f"reading {dataset.name} {split}", sum(counts)) as advance:
        for where, content in dataset.encoded(split):
            _note(seen, digests, where, _look(where, content))
            advance(1)
    return seen, digests


def _note(seen: SplitSurvey, digests: Digests, where: str, look: _Look) -> None:
    """Count the facts of an image into ``seen`` and ``digests``."""
    if look.broken:
        seen.broken.append(look.broken)
        return
    digests.append((where, look.digest))
    _count(seen.sizes, look.size)
    _count(seen.modes, look.mode)
    _count(seen.formats, look.format)
    seen.turned += look.turned


def _of_folder(dataset: ImageFolder, split: Split) -> tuple[SplitSurvey, Digests]:
    folder, files = dataset.folder(split), dataset.files(split)
    whole = part(folder)
    seen = SplitSurvey(split, str(folder), str(whole.annotation or ""), unused=whole.unused)
    seen.counts = dict(zip(dataset.classes, map(len, files), strict=True))
    names = [name for of_class in files for name in of_class]
    digests: Digests = []
    with told(f"reading {dataset.name} {split}", len(names)) as advance:
        for name, look in _looked_at(folder, names):
            _count(seen.suffixes, Path(name).suffix)
            _note(seen, digests, str(folder / name), look)
            advance(1)
    return seen, digests


@dataclass(frozen=True)
class _Look:
    """The facts of one image file; ``broken`` alone of one that cannot be used."""

    broken: str = ""
    digest: bytes = b""
    size: str = ""
    mode: str = ""
    format: str = ""
    turned: bool = False


def _looked_at(folder: Path, names: Sequence[str]) -> Iterator[tuple[str, _Look]]:
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for start in range(0, len(names), AT_ONCE):
            chunk = names[start : start + AT_ONCE]
            yield from zip(chunk, pool.map(lambda name: _look_into(folder / name), chunk), strict=True)


def _look_into(path: Path) -> _Look:
    try:
        return _look(path, read(path))
    except BenchError as error:
        return _Look(broken=str(error))


def _look(where: Path | str, content: bytes) -> _Look:
    from PIL import Image

    try:
        opened(where, content, "RGB")
    except BenchError as error:
        return _Look(broken=str(error))
    with Image.open(io.BytesIO(content)) as image:
        turned = False
        with contextlib.suppress(Exception):  # damaged EXIF data, which changes no pixel
            turned = image.getexif().get(ORIENTATION, 1) not in (0, 1)
        size = f"{image.width} x {image.height}"
        return _Look("", hashlib.sha256(content).digest(), size, image.mode, str(image.format), turned)
