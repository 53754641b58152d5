"""Which folders and files of a dataset on disk are its splits and classes.

``root/train`` and ``root/val`` (or a name in ``TEST``) hold a folder of images for each class, at any depth, or images
without class folders and an annotation file (``annotation.READERS``), in the folder itself or in ``root``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ddbench.data import annotation
from ddbench.data.files import LOOSE, ClassFiles, Unused, class_files, scan, unused_files
from ddbench.data.imagefile import is_hidden, normalised
from ddbench.errors import BenchError

TRAIN = ("train",)
TEST = ("val", "valid", "validation", "test")
"""names of the folder of test images; the first that exists is the test split"""

IMAGES = "images"
"""folder that holds the images of a flat part, beside its annotation file, as in Tiny-ImageNet"""


@dataclass(frozen=True)
class Part:
    """The images of one split."""

    classes: Mapping[str, ClassFiles]
    """class -> its image files, relative to the folder of the part; sorted by class"""
    unused: Mapping[str, Unused]
    """sort of files and folders that are visible and not used -> how many"""
    annotation: Path | None = None
    """the file that says what the images show; None for class folders"""


def part_folder(name: str, root: str, part: str) -> Path:
    """The folder of a part (``train``, ``val``), absolute. Raises BenchError when there is none."""
    setting = f"--set data.{name}.root="
    if not root:
        raise BenchError(f"where is {name}? Name the folder that holds its train/ and val/ with {setting}FOLDER")
    given = Path(root).expanduser()
    whole = Path.cwd() / given
    for candidate in (names := TRAIN if part == "train" else TEST):
        if (whole / candidate).is_dir():
            return whole / candidate
    relative = "" if given.is_absolute() else f" (root {root!r} is relative to the current folder)"
    deeper = [path for path in _folders(whole) if any((path / candidate).is_dir() for candidate in names)]
    if len(deeper) == 1:
        hint = f"{deeper[0]} holds one: {setting}{deeper[0]}"
    else:
        hint = f"Name the one that holds train/ and val/ with {setting}FOLDER"
    there = [path.name for path in _folders(whole)]
    holds = f" {whole} holds {', '.join(there[:5])}{', ...' if len(there) > 5 else ''}." if there else ""
    raise BenchError(f"{name}: there is no folder {whole / names[0]}{relative}. {hint}{'.' if holds else ''}{holds}")


def other_parts(root: str) -> list[Path]:
    """The folders in ``root`` that could be the test split, and are not used since an earlier one in ``TEST`` is."""
    whole = Path.cwd() / Path(root).expanduser()
    return [whole / name for name in TEST if (whole / name).is_dir()][1:]


@lru_cache(maxsize=8)
def part(folder: Path) -> Part:
    """The classes of the images in ``folder``. Raises BenchError for a folder without class folders or labels."""
    found = scan(folder)
    if found.classes and (found.classes.keys() != {IMAGES} or not _annotation(folder)):
        loose = {LOOSE: Unused(len(found.loose), min(found.loose))} if found.loose else {}
        return Part(found.classes, {**_together(unused_files(found.files), found.unused), **loose})
    if not found.classes and not found.loose:
        return Part({}, unused_files(found.files))
    return _annotated(folder)


def forget() -> None:
    """Forget all listings, so that folders that have changed are listed again."""
    scan.cache_clear()
    part.cache_clear()


def _annotated(folder: Path) -> Part:
    """The images of a folder without class folders, by its annotation file."""
    found = scan(folder)
    inner = found.classes.get(IMAGES)
    sizes = dict(found.loose) | (dict(zip(inner.names, inner.sizes, strict=True)) if inner else {})
    path = _annotation(folder)
    if path is None:
        raise BenchError(
            f"{folder} holds {len(found.loose)} images ({min(found.loose)}, ...) and no class folders. Put the images "
            f"of each class into a folder named as the class, or beside them a file that names their classes: "
            f"{', '.join(annotation.READERS)}."
        )
    labels = {normalised(name): normalised(label) for name, label in annotation.read(path).items()}
    by_class: dict[str, dict[str, int]] = {}
    named = 0
    for name, size in sizes.items():
        label = next((labels[key] for key in _keys(folder, name) if key in labels), None)
        if label is not None:
            by_class.setdefault(label, {})[name] = size
            named += 1
    if named < len(labels):
        here = {key for name in sizes for key in _keys(folder, name)}
        gone = [name for name in labels if name not in here and not _elsewhere(folder, name)]
        if gone:
            raise BenchError(
                f"{path} names {len(gone)} images that are not in {folder} ({gone[0]}, ...). Restore them, or remove "
                "their lines."
            )
    classes = {label: class_files(by_class[label]) for label in sorted(by_class)}
    unnamed = {name for name in sizes if not any(key in labels for key in _keys(folder, name))}
    unused = _together(unused_files(name for name in found.files if name != path.name), found.unused)
    if unnamed:
        unused[f"images that {path.name} does not name"] = Unused(len(unnamed), min(unnamed))
    return Part(classes, unused, path)


def _annotation(folder: Path) -> Path | None:
    only = annotation.OF_ANY_PART if folder.name in TRAIN else tuple(annotation.READERS)
    return annotation.find([folder, folder.parent], only)


def _keys(folder: Path, name: str) -> tuple[str, ...]:
    """The names under which an annotation file may list the image ``name`` of a part: its path, also from the root, or
    its file name."""
    plain = normalised(name)
    return plain, f"{folder.name}/{plain}", plain.rpartition("/")[2]


def _elsewhere(folder: Path, name: str) -> bool:
    """Whether an annotation file for several parts names an image of another part."""
    first, slash, _ = name.partition("/")
    return bool(slash) and first != folder.name and (folder.parent / first).is_dir()


def checked(name: str, folder: Path, classes: Iterable[str]) -> Mapping[str, ClassFiles]:
    """Class -> files. Raises BenchError when the folders are not exactly ``classes``, or one holds no image."""
    found, wanted = part(folder).classes, set(classes)
    if found.keys() != wanted:
        missing, extra = sorted(wanted - found.keys()), sorted(found.keys() - wanted)
        what = f"lacks {missing[0]}" if missing else f"has {extra[0]}, which is none of its classes"
        labelled_by = part(folder).annotation
        sort = f"classes in {labelled_by.name}" if labelled_by else "class folders"
        raise BenchError(
            f"{folder} is not {name}: it {what} ({len(missing)} missing, {len(extra)} extra {sort}). It must hold one "
            "folder of images for each class, named as the class."
        )
    for label, files in found.items():
        if not files.names:
            others = [sort for sort, unused in scan(folder).unused.items() if unused.example.startswith(f"{label}/")]
            what = f"no images but {', '.join(others)}" if others else "no images"
            raise BenchError(
                f"{name}: the class folder {folder / label} holds {what}. Put some there or name another folder with "
                f"--set data.{name}.root=FOLDER"
            )
    return found


def _together(first: Mapping[str, Unused], second: Mapping[str, Unused]) -> dict[str, Unused]:
    added = dict(first)
    for sort, unused in second.items():
        before = added.get(sort)
        count = unused.count + (before.count if before else 0)
        added[sort] = Unused(count, min(unused.example, before.example) if before else unused.example)
    return dict(sorted(added.items()))


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and not is_hidden(path.name))
    except OSError:
        return []
