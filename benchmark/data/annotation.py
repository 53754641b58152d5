"""Files that say which class the images of a flat folder show, as published datasets come with them.

Each reader returns the class of a file by its name or path, as written there.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from ddbench.errors import BenchError

Labels = Mapping[str, str]
"""file name or path, relative to the folder of the images -> class"""

ILSVRC = "ILSVRC2012_val_{:08}.JPEG"
"""name of the n-th validation image of ILSVRC-2012, from 1"""


def find(folders: Sequence[Path], names: Sequence[str]) -> Path | None:
    """The first annotation file in ``folders`` that is called one of ``names``, those of the first folder first; None
    when there is none. Raises BenchError for one that is known and names no classes.
    """
    for folder in folders:
        for name in names:
            if (folder / name).is_file():
                return folder / name
    for folder in folders:
        for name, why in NAMELESS.items():
            if (folder / name).is_file():
                raise BenchError(f"{folder / name} {why}. Put one of these beside it: {', '.join(READERS)}.")
    return None


def read(path: Path) -> Labels:
    """The labels in an annotation file that ``find`` found. Raises BenchError when it is malformed."""
    try:
        labels = READERS[path.name](path)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BenchError(f"{path} cannot be read: {error}.") from None
    if not labels:
        raise BenchError(f"{path} names no image.")
    return labels


def _tiny_imagenet(path: Path) -> Labels:
    """Lines ``val_0.JPEG<tab>n03444034<tab>x<tab>y<tab>...``."""
    return _rows(path, (line.split("\t") for line in _lines(path)), "val_0.JPEG<tab>n03444034")


def _kaggle(path: Path) -> Labels:
    """Columns ImageId and PredictionString, which begins with the wnid."""
    rows = ([row["ImageId"] + ".JPEG", *row["PredictionString"].split()] for row in _table(path, "ImageId", KAGGLE))
    return _rows(path, rows, "ILSVRC2012_val_00048981,n03995372 85 1 499 272")


def _synsets(path: Path) -> Labels:
    """A wnid a line, in the order of the images."""
    return {ILSVRC.format(n): line for n, line in enumerate(_lines(path), 1)}


def _caffe(path: Path) -> Labels:
    """Lines ``FILE CLASS`` or ``FILE NUMBER``, which counts the lines of ``synsets.txt`` from 0."""
    labels = _rows(path, (line.rsplit(maxsplit=1) for line in _lines(path)), "ILSVRC2012_val_00000001.JPEG 65")
    if not all(label.isdigit() for label in labels.values()):
        return labels
    if not (path.parent / "synsets.txt").is_file():
        raise BenchError(f"{path} gives classes by number: put the file synsets.txt that the numbers count beside it.")
    names = list(_lines(path.parent / "synsets.txt"))
    if wrong := next((name for name, label in labels.items() if int(label) >= len(names)), None):
        raise BenchError(f"{path} gives {wrong} the class {labels[wrong]}, and synsets.txt has {len(names)} lines.")
    return {name: names[int(label)] for name, label in labels.items()}


def _metadata_csv(path: Path) -> Labels:
    rows = ([row["file_name"], row["label"]] for row in _table(path, "file_name", "label"))
    return _rows(path, rows, "0.png,n01440764")


def _metadata_jsonl(path: Path) -> Labels:
    labels = {}
    for number, line in enumerate(_lines(path), 1):
        try:
            entry = json.loads(line)
            labels[str(entry["file_name"])] = str(entry["label"])
        except (ValueError, KeyError, TypeError):
            example = '{"file_name": "0.png", "label": "n01440764"}'
            raise BenchError(f"{path}, line {number}: not an object like {example}.") from None
    return labels


KAGGLE = "PredictionString"

READERS: Mapping[str, Callable[[Path], Labels]] = {
    "val_annotations.txt": _tiny_imagenet,
    "LOC_val_solution.csv": _kaggle,
    "imagenet_2012_validation_synset_labels.txt": _synsets,
    "val.txt": _caffe,
    "metadata.csv": _metadata_csv,
    "metadata.jsonl": _metadata_jsonl,
}
"""name of an annotation file -> its reader; Tiny-ImageNet's, ILSVRC's of several sources, Hugging Face's"""

OF_ANY_PART = ("metadata.csv", "metadata.jsonl")
"""annotation files that may be of train images too"""

NAMELESS = {
    "ILSVRC2012_validation_ground_truth.txt": "gives classes by the numbers of ILSVRC's development kit, which are not "
    "in the order of the wnids",
    "meta.bin": "is a pickle, which is not opened, since that could run code",
}
"""annotation files that are known and cannot be used -> why"""


def _lines(path: Path) -> Iterable[str]:
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _table(path: Path, *columns: str) -> Iterable[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if lacks := [column for column in columns if column not in (reader.fieldnames or ())]:
            has = ", ".join(reader.fieldnames or ())
            raise BenchError(f"{path} lacks the column {lacks[0]}; it has {has}.")
        return [{column: row[column] or "" for column in columns} for row in reader]


def _rows(path: Path, rows: Iterable[list[str]], example: str) -> Labels:
    labels = {}
    for number, row in enumerate(rows, 1):
        if len(row) < 2 or not row[0] or not row[1]:
            raise BenchError(f"{path}, entry {number}: no file and class. Example: {example}")
        labels[row[0]] = row[1]
    return labels
