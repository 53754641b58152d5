"""Hugging Face datasets on disk: the files of a split, their columns and images, read by pyarrow alone.

Two layouts: a folder of ``save_to_disk`` (``dataset_dict.json``, in it a folder with ``state.json`` and Arrow files for
each split), and parquet shards (``_split_of``) in the folder itself, in its ``data/``, or in a folder of either. No
script of such a folder is run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddbench.data.imagefile import read as read_file
from ddbench.errors import BenchError

if TYPE_CHECKING:
    import pyarrow as pa

DICT, STATE = "dataset_dict.json", "state.json"
ROWS = 64
"""rows of a parquet file that are in memory at a time"""


def splits(folder: Path) -> dict[str, list[Path]]:
    """Split -> its Arrow or parquet files, in order; empty when ``folder`` holds neither layout. Raises BenchError."""
    if (folder / DICT).is_file():
        names = _json(folder / DICT).get("splits", [])
        return {str(name): _arrow_files(inside(folder, str(name))) for name in names}
    found: dict[str, list[Path]] = {}
    for place in (folder, folder / "data"):
        for path in sorted([*place.glob("*.parquet"), *place.glob("*/*.parquet")]):
            if path.parent.name != "data" or place != folder:
                found.setdefault(_split_of(path, place), []).append(path)
    for split, paths in found.items():
        if len(places := sorted({path.parent.name for path in paths})) > 1:
            raise BenchError(f"{folder} holds {split} in {' and '.join(places)}: name one of these folders.")
    return found


def _split_of(path: Path, place: Path) -> str:
    """``train`` of train-00000-of-00002.parquet, train.parquet and train/0000.parquet."""
    if shard := re.fullmatch(r"(.+)-\d+-of-\d+", path.stem):
        return shard[1]
    return path.stem if path.parent == place else path.parent.name


def features(schema: pa.Schema) -> dict[str, dict[str, Any]]:
    """Column -> its Hugging Face feature; empty for a table that other software wrote."""
    noted = (schema.metadata or {}).get(b"huggingface")
    found = json.loads(noted)["info"]["features"] if noted else {}
    return {name: feature for name, feature in found.items() if isinstance(feature, dict)}


def schema(path: Path) -> pa.Schema:
    """The schema of an Arrow or parquet file. Raises BenchError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _told(path):
        if path.suffix == ".parquet":
            return pq.read_schema(path)
        with pa.memory_map(str(path)) as file:
            return pa.ipc.open_stream(file).schema


def column(paths: Sequence[Path], name: str) -> Iterator[Any]:
    """The values of a column, row by row over all files; encoded images, where it has such, one at a time. Raises
    BenchError for a file that cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for path in paths:
        with _told(path):
            if path.suffix == ".parquet":
                with pq.ParquetFile(path) as parquet:
                    for batch in parquet.iter_batches(ROWS, columns=[name]):
                        yield from (value.as_py() for value in batch.column(0))
            else:
                with pa.memory_map(str(path)) as file:
                    for batch in pa.ipc.open_stream(file):
                        yield from (value.as_py() for value in batch.column(batch.schema.get_field_index(name)))


def content(folder: Path, where: str, value: Any) -> bytes:
    """The encoded image in a cell: bytes, or a struct with bytes or the path of a file in ``folder``, as Hugging Face
    stores images. Raises BenchError."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, Mapping) and value.get("bytes"):
        return bytes(value["bytes"])
    if isinstance(value, Mapping) and value.get("path"):
        return read_file(inside(folder, value["path"]))
    raise BenchError(f"{where}: there is no encoded image, neither bytes nor the path of a file.")


def inside(folder: Path, name: str) -> Path:
    """The path of a file that a dataset names. Raises BenchError for one outside its folder."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise BenchError(
            f"{folder} names the file {name}, which is outside the folder. Embed the images in the dataset."
        )
    return path


def _arrow_files(folder: Path) -> list[Path]:
    state = _json(folder / STATE)
    if state.get("_indices_data_files"):
        raise BenchError(
            f"{folder} holds a selection of rows that was not written out. In Python, call flatten_indices() on the "
            "dataset and save it again."
        )
    return [inside(folder, str(entry["filename"])) for entry in state.get("_data_files", [])]


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("it holds no object")
    except (OSError, ValueError) as error:
        raise BenchError(f"{path} cannot be read: {error}. Save the dataset again with save_to_disk.") from None
    return found


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Errors of pyarrow as BenchError that names the file."""
    import pyarrow as pa

    try:
        yield
    except (OSError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())
        raise BenchError(f"{path} cannot be read: {type(error).__name__}: {reason}.") from None
