"""Everything that a store knows about one cell, for `bench show`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ddbench.api.find_cell import find_cell
from ddbench.api.hardware import hardware_of, on_a_card, run_hardware
from ddbench.api.sets import bytes_of_set, logged, run_of, stage_keys
from ddbench.api.stores import Say, Stores, say_on_stderr
from ddbench.results.cost import logged_bytes, teacher_of, teachers_seconds
from ddbench.store.distilled import IMAGES_FILE
from ddbench.store.folder import Store
from ddbench.types import Cell, Record


def about_cell(where: Path | str, text: str, say: Say = say_on_stderr) -> dict[str, Any]:
    """Everything that a store knows about the cell ``text`` (see ``find_cell``), as JSON. Raises BenchError."""
    stores = Stores([where], say)
    stores.check_asked()
    (store,) = stores.members
    earlier = _earlier(store, set(stores.wanted.values()))
    return _about(store, *find_cell(text, stores.wanted, earlier), say)


def _about(store: Store, cell: Cell, key: str, say: Say) -> dict[str, Any]:
    """Everything that ``store`` knows about a cell, as JSON."""
    (record,) = store.records([key], say) or (None,)
    parents = record.config.get("evaluate", {}).get("parents", []) if record else []
    return {
        "cell": vars(cell),
        "name": str(cell),
        "key": key,
        "outcome": record.outcome if record else "not run",
        "accuracy": _accuracy(record) if record and record.outcome == "ok" else None,
        "teacher": _teacher(record),
        "attempts": sorted(name for name in store.file_names("records") if name.startswith(f"{key}.")),
        "asked_by": list(dict.fromkeys(r["name"] for r in store.runs() if any(k == key for _, k in r["cells"]))),
        "stages": list(_stages(store, record)) if record else [],
        "cards": list(hardware_of([record])) if record and on_a_card([record]) else [],
        "log": _path(store, record.run.get("output")) if record else None,
        "images": _images(store, cell, parents[0]) if parents else {},
        "bytes": _bytes(store, record, parents[0]) if record and parents else {},
        "record": record.to_json() if record else None,
    }


def _earlier(store: Store, latest: set[str]) -> dict[str, Cell]:
    """Key -> cell, for cells in configurations that a later run has replaced."""
    return {key: Cell(**cell) for run in store.runs() for cell, key in run["cells"] if key not in latest}


def _accuracy(record: Record) -> dict[str, Any]:
    best = max(record.curve, key=lambda point: point[1])
    right = sum(bin(byte).count("1") for byte in bytes.fromhex(record.correct))
    known = bool(record.correct)
    return {
        "last": record.last,
        "last_epoch": record.curve[-1][0],
        "best": best[1],
        "best_epoch": best[0],
        "right": right if known else None,
        "images": record.n_images,
    }


def _teacher(record: Record | None) -> dict[str, Any] | None:
    """Accuracies, bytes and seconds of the teacher of the labels, or else of the method's; None without any."""
    found = teacher_of(record) if record else None
    return {**vars(found), "seconds": teachers_seconds(record)} if found and record else None


def _stages(store: Store, record: Record) -> Iterator[dict[str, Any]]:
    """Cost and host of each stage behind a record, from the manifests that are there."""
    keys = stage_keys(record)
    for kind, seconds in record.run.get("seconds", {}).items():
        key = keys.get(kind, "")
        run = record.run if kind == "evaluate" else run_of(store, kind, key)
        yield {
            "stage": kind,
            "key": key,
            "seconds": seconds,
            "hardware": run_hardware(record, kind),
            **{name: run.get(name) for name in ("peak_memory_mib", "peak_gpu_mib", "host", "output")},
            **{name: run[name] for name in ("together", "wall_seconds") if name in run},
            "git": run.get("provenance", {}).get("git"),
            "changed_state": _changed(record, kind),
            "logged": record.run.get("log", {}) if kind == "evaluate" else logged(store, kind, key),
        }


def _changed(record: Record, kind: str) -> list[str]:
    """What a stage changed of the state of its process; none in records of releases that did not look."""
    changed = record.run.get("changed_state") or {}
    return list(changed.get(kind, [])) if isinstance(changed, dict) else []


def _images(store: Store, cell: Cell, key: str) -> dict[str, str | None]:
    """Paths of the distilled set and of its picture, or None."""
    picture = Path("grids", cell.dataset, cell.method, f"ipc{cell.ipc}-seed{cell.seed}-{key[:8]}.png")
    return {"set": _path(store, f"artifacts/distill/{key}/{IMAGES_FILE}"), "picture": _path(store, str(picture))}


def _bytes(store: Store, record: Record, key: str) -> dict[str, int]:
    """Bytes of the set's pixels, of their PNG files, of the soft labels that were learned from, of the teacher; what is
    unknown or does not exist is left out."""
    found = bytes_of_set(store, key) if store.exists("distill", key) else {}
    labels, taught = logged_bytes(record, "soft_label"), teacher_of(record)
    sizes = {
        "pixels": found.get("raw_bytes"),
        "png": found.get("png_bytes"),
        "soft_labels": labels if labels is not None else found.get("soft_bytes"),
        "teacher": taught.bytes if taught else None,
    }
    return {name: int(size) for name, size in sizes.items() if size}


def _path(store: Store, name: str | None) -> str | None:
    """The local path of a file of the store, if it exists."""
    return str(store.root / name) if name and (store.root / name).exists() else None
