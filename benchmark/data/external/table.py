"""Images in a Hugging Face dataset folder: Arrow files of ``save_to_disk``, or parquet files.

Both are read by pyarrow alone: no script of the folder is run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddbench.data.external.folder import ExternalImage
from ddbench.data.shards import content, features, inside
from ddbench.errors import BenchError

if TYPE_CHECKING:
    import pyarrow as pa

LABELS = ("label", "labels", "class", "wnid")
SOFT_LABELS = ("soft_label", "soft_labels")


def is_table(folder: Path) -> bool:
    """Whether ``folder`` holds a Hugging Face dataset or parquet files."""
    return bool(
        (folder / "dataset_dict.json").exists() or (folder / "state.json").exists() or next(_parquet(folder), None)
    )


def read(folder: Path, numbered: bool = False) -> list[ExternalImage]:
    """The images of the dataset in ``folder``, in its order; of its split ``train`` if it has several.

    numbered: whether labels may be numbers without names, because a class order says what they mean. Raises BenchError.
    """
    import pyarrow as pa

    part = _split(folder)
    images: list[ExternalImage] = []
    try:
        for table in _tables(part):
            images.extend(_images(part, table, len(images), numbered))
    except (OSError, pa.ArrowInvalid, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise BenchError(f"the dataset {part} cannot be read: {type(error).__name__}: {reason}.") from None
    return images


def _split(folder: Path) -> Path:
    if not (folder / "dataset_dict.json").exists():
        return folder
    splits = json.loads((folder / "dataset_dict.json").read_text())["splits"]
    if "train" not in splits and len(splits) != 1:
        raise BenchError(f"{folder} has the splits {', '.join(splits)} and no train. Name the folder of one of them.")
    return folder / ("train" if "train" in splits else inside(folder, splits[0]).name)


def _tables(folder: Path) -> Iterator[pa.Table]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    state = folder / "state.json"
    if state.exists():
        for entry in json.loads(state.read_text())["_data_files"]:
            with pa.memory_map(str(inside(folder, entry["filename"]))) as file:
                yield pa.ipc.open_stream(file).read_all()
        return
    files = sorted(_parquet(folder))
    for path in [p for p in files if p.name.startswith("train")] or files:
        yield pq.read_table(path)


def _parquet(folder: Path) -> Iterator[Path]:
    yield from folder.glob("*.parquet")
    yield from folder.glob("data/*.parquet")


def _images(folder: Path, table: pa.Table, start: int, numbered: bool) -> Iterator[ExternalImage]:
    known = features(table.schema)
    image = _column(table, ("image", "img"), [n for n, f in known.items() if f.get("_type") == "Image"])
    label = _column(table, LABELS, [n for n, f in known.items() if f.get("_type") == "ClassLabel"])
    if image is None or label is None:
        lacks = "column of images" if image is None else f"label column ({', '.join(LABELS)})"
        raise BenchError(f"the dataset {folder} has no {lacks}; its columns are {', '.join(table.column_names)}.")
    names = known.get(label, {}).get("names")
    soft = _column(table, SOFT_LABELS, [])
    for i in range(len(table)):
        where = f"{folder}, row {start + i}"
        yield ExternalImage(
            where=where,
            label=_label(where, table[label][i].as_py(), names, numbered),
            content=partial(_content, folder, where, table[image], i),
            soft=_soft(where, table[soft][i].as_py(), names, numbered) if soft else {},
        )


def _content(folder: Path, where: str, images: pa.ChunkedArray, i: int) -> bytes:
    return content(folder, where, images[i].as_py())


def _column(table: pa.Table, usual: tuple[str, ...], typed: list[str]) -> str | None:
    """The first column with one of the ``usual`` names, or else the only column of the type, or None."""
    named = [name for name in usual if name in table.column_names]
    return named[0] if named else typed[0] if len(typed) == 1 else None


def _label(where: str, value: Any, names: list[str] | None, numbered: bool) -> str:
    if isinstance(value, str):
        return value
    if names is None and numbered and isinstance(value, int) and value >= 0:
        return str(value)
    if names is None:
        raise BenchError(
            f"{where}: the label {value!r} is a number without class names. Use a ClassLabel with names, or text; or "
            "say which class each number is with --class-order FILE."
        )
    if not isinstance(value, int) or not 0 <= value < len(names):
        raise BenchError(f"{where}: the label {value!r} is none of the {len(names)} class names.")
    return names[value]


def _soft(where: str, value: Any, names: list[str] | None, numbered: bool) -> dict[str, float]:
    if isinstance(value, Mapping):
        return {name: share for name, share in value.items() if share}
    if value is None:
        return {}
    if names is None and numbered:
        names = [str(number) for number in range(len(value))]
    if names is None or len(value) != len(names):
        raise BenchError(
            f"{where}: a soft label in a list needs a ClassLabel column with as many names; otherwise give it as a "
            "struct from class name to probability."
        )
    return dict(zip(names, map(float, value), strict=True))
