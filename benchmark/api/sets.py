"""What stores know of distilled sets besides their records: the stages behind them, how many images, which memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

from ddbench.api.stores import Stores
from ddbench.errors import CorruptArtifact
from ddbench.results.cost import SetFacts, set_key
from ddbench.store.folder import Store
from ddbench.types import Record


def stage_keys(record: Record) -> dict[str, str]:
    """Kind of stage -> key, of the stages behind a record, the evaluation last."""
    distill = record.config.get("distill", {})
    prepared = [kind for kind in record.config if kind not in ("distill", "evaluate")]
    keys = dict(zip(prepared, distill.get("chain", []), strict=False))
    return {**keys, "distill": set_key(record) or "", "evaluate": record.key}


def run_of(store: Store | None, kind: str, key: str) -> dict[str, Any]:
    """How a stage went (seconds, memory, host, provenance) by its manifest; empty where that is not there."""
    with contextlib.suppress(CorruptArtifact, KeyError):  # what is damaged is unknown
        if store is not None and store.there(kind, key):
            run: dict[str, Any] = store.manifest(kind, key)["run"]
            return run
    return {}


def facts_of_sets(stores: Stores, records: Iterable[Record]) -> dict[str, SetFacts]:
    """By key, the distilled sets that ``records`` judged, of those that lie on this machine. Headers alone are read."""
    found: dict[str, SetFacts] = {}
    for key in dict.fromkeys(filter(None, map(set_key, records))):
        if (store := stores.holding("distill", key)) is not None:
            memory: dict[str, list[int]] = {"peak_memory_mib": [], "peak_gpu_mib": []}
            with contextlib.suppress(CorruptArtifact, KeyError):
                _memory(store, key, memory)
            highest = {name: max(values, default=None) for name, values in memory.items()}
            found[key] = SetFacts(images_in(store, key), highest["peak_memory_mib"], highest["peak_gpu_mib"])
    return found


def images_in(store: Store, key: str) -> int | None:
    """Number of images of a distilled set, from the header of its file; None where that cannot be read."""
    from safetensors import SafetensorError, safe_open

    from ddbench.store.distilled import IMAGES_FILE

    try:
        with safe_open(store.folder("distill", key) / IMAGES_FILE, framework="np") as file:
            return int(file.get_slice("labels").get_shape()[0])
    except (OSError, SafetensorError):
        return None


def _memory(store: Store, key: str, into: dict[str, list[int]]) -> None:
    """Peaks of the stages behind a set, the shared prior left out, as far as they can be read."""
    manifest = store.manifest("distill", key)
    chain = manifest["task"]["chain"]
    runs = [manifest["run"]]
    for kind in ("fit", "embed"):
        runs += [store.manifest(kind, part)["run"] for part in chain if store.there(kind, part)]
    for run in runs:
        for name, values in into.items():
            if run.get(name) is not None:
                values.append(int(run[name]))
