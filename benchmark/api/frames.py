"""Records as pandas frames, with a row for each record, point of a curve or distilled set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

from ddbench.api.copies import copies_of
from ddbench.api.hardware import run_hardware
from ddbench.api.sets import images_in, run_of, stage_keys
from ddbench.api.stores import Stores
from ddbench.errors import unknown
from ddbench.results.cost import set_key, soft_label_bytes, teacher_of, teachers_seconds
from ddbench.types import Cell, Record

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["records", "curves", "sets"]
KINDS: tuple[Kind, ...] = get_args(Kind)

STAGES = ("prior", "fit", "embed", "teacher", "distill", "evaluate")
COORDINATES = ("dataset", "split", "arch", "ipc", "method", "protocol", "seed", "eval_seed")
HARDWARE = ("device", "gpu", "driver", "cuda", "processor", "cores", "platform", "host")
COPIES = ("equal", "near", "in_both", "repeated")
"""numbers of images of the set that are judged images, or others of the set (``stages.copies``)"""
RECORDS = (
    *COORDINATES,
    "outcome",
    "reason",
    "last",
    "best",
    "n_images",
    "teacher_top1",
    "teacher_train_top1",
    "teacher_bytes",
    "soft_label_bytes",
    *(f"set_{kind}" for kind in COPIES),
    *(f"seconds_{stage}" for stage in STAGES),
    *(f"peak_memory_mib_{stage}" for stage in STAGES),
    *(f"peak_gpu_mib_{stage}" for stage in STAGES),
    *HARDWARE,
    "started",
    "finished",
    "commit",
    "variant",
    "key",
)
CURVES = (*COORDINATES, "epoch", "top1", "key")
WHOLE_NUMBERS = ("ipc", "seed", "eval_seed", "epoch")
TEXT = (
    *("dataset", "split", "arch", "method", "protocol", "outcome", "reason", "device", "processor", "platform", "host"),
    *("started", "finished", "commit", "variant", "key", "path", "gpu", "driver", "cuda"),
)
"""columns of text and of whole numbers that no row lacks; all others hold numbers, which may be missing"""
SETS = ("dataset", "split", "method", "ipc", "seed", "images", "bytes", "path", "key", "seconds_distill", "host")


def make_frame(kind: Kind, stores: Stores, cells: Mapping[Cell, str], records: Sequence[Record]) -> pd.DataFrame:
    """records: a row for each cell, with accuracies as fractions; outcome ``not run`` where there is no record.

    curves: a row for each point of each accuracy curve. sets: a row for each distilled set that was evaluated. A column
    of numbers is float64 also where all of them are missing and where the frame has no rows. Raises BenchError for
    another kind.
    """
    if kind not in KINDS:
        raise unknown("frame", kind, KINDS)
    by_key = {record.key: record for record in records}
    if kind == "curves":
        judged = [record for key in cells.values() if (record := by_key.get(key))]
        return _typed(_curves(judged), CURVES)
    if kind == "sets":
        return _typed(_sets(stores, cells, by_key), SETS)
    rows = [_record(stores, cell, key, by_key.get(key)) for cell, key in cells.items()]
    return _typed(rows, RECORDS)


def _typed(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """``rows`` as a frame whose types do not depend on which values there are."""
    import pandas as pd

    frame = pd.DataFrame(list(rows), columns=list(columns))
    for name in columns:
        if name not in TEXT and frame[name].isna().all():
            frame[name] = frame[name].astype("int64" if name in WHOLE_NUMBERS else "float64")
    return frame


def _record(stores: Stores, cell: Cell, key: str, record: Record | None) -> dict[str, Any]:
    row: dict[str, Any] = {**vars(cell), "key": key, "outcome": "not run", "reason": ""}
    if record is None:
        return row
    provenance, task = record.run.get("provenance", {}), record.config.get("evaluate", {})
    row |= {"outcome": record.outcome, "reason": record.reason, "n_images": record.n_images or None}
    if copies := copies_of(record):
        row |= {f"set_{kind}": getattr(copies, kind) for kind in COPIES}
    if record.curve:
        row |= {"last": record.last, "best": record.best}
    teacher = teacher_of(record)
    row |= {f"teacher_{name}": getattr(teacher, name) for name in ("top1", "train_top1", "bytes")} if teacher else {}
    row["soft_label_bytes"] = soft_label_bytes(record)
    row |= {f"seconds_{stage}": seconds for stage, seconds in record.run.get("seconds", {}).items()}
    row["seconds_teacher"] = teachers_seconds(record)
    for stage, stage_key in stage_keys(record).items():
        run = record.run if stage == "evaluate" else run_of(stores.holding(stage, stage_key), stage, stage_key)
        peaks = [name for name in ("peak_memory_mib", "peak_gpu_mib") if name in run and "together" not in run]
        row |= {f"{name}_{stage}": run[name] for name in peaks}
    row |= {"device": task.get("device"), "host": record.run.get("host"), "variant": task.get("variant")}
    row |= {name: provenance.get(name) for name in ("processor", "cores", "platform")}
    judged_on = run_hardware(record, "evaluate") or {}
    row |= {"gpu": judged_on.get("name"), "driver": judged_on.get("driver"), "cuda": judged_on.get("cuda")}
    row |= {name: record.run.get(name) for name in ("started", "finished")}
    return {**row, "commit": (provenance.get("git") or {}).get("commit")}


def _curves(records: Sequence[Record]) -> Iterator[dict[str, Any]]:
    for record in records:
        for epoch, top1 in record.curve:
            yield {**vars(record.cell), "key": record.key, "epoch": epoch, "top1": top1}


def _sets(stores: Stores, cells: Mapping[Cell, str], by_key: Mapping[str, Record]) -> Iterator[dict[str, Any]]:
    from ddbench.store.distilled import IMAGES_FILE

    seen: set[str] = set()
    for cell, cell_key in cells.items():
        record = by_key.get(cell_key)
        key = set_key(record) if record else None
        store = stores.holding("distill", key) if key else None
        if key is None or key in seen or store is None:
            continue
        seen.add(key)
        path, run = store.folder("distill", key) / IMAGES_FILE, run_of(store, "distill", key)
        on_disk = path.exists()  # a store at a URL may not have been downloaded
        yield {
            **{name: getattr(cell, name) for name in ("dataset", "split", "method", "ipc", "seed")},
            "images": images_in(store, key),
            "bytes": path.stat().st_size if on_disk else None,
            "path": str(path) if on_disk else None,
            "key": key,
            "seconds_distill": run.get("seconds"),
            "host": run.get("host"),
        }
