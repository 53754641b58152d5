"""What stores know about distilled sets besides records: the stages behind them, numbers of images, peak memory."""

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
    """Kind of stage -> key, of the stages behind a record; the evaluation is last."""
    distill = record.config.get("distill", {})
    prepared = [kind for kind in record.config if kind not in ("distill", "evaluate")]
    keys = dict(zip(prepared, distill.get("chain", []), strict=False))
    return {**keys, "distill": set_key(record) or "", "evaluate": record.key}


def run_of(store: Store | None, kind: str, key: str) -> dict[str, Any]:
    """Seconds, memory, host and provenance of a stage, from its manifest; empty when there is none."""
    with contextlib.suppress(CorruptArtifact, KeyError):  # damaged: unknown
        if store is not None and store.exists(kind, key):
            run: dict[str, Any] = store.manifest(kind, key)["run"]
            return run
    return {}


def facts_of_sets(stores: Stores, records: Iterable[Record]) -> dict[str, SetFacts]:
    """Key of a distilled set -> number of images and peak memory, for those of ``records`` that a store has."""
    facts: dict[str, SetFacts] = {}
    for key in dict.fromkeys(filter(None, map(set_key, records))):
        if (store := stores.holding("distill", key)) is not None:
            memory: dict[str, list[int]] = {"peak_memory_mib": [], "peak_gpu_mib": []}
            with contextlib.suppress(CorruptArtifact, KeyError):
                _memory(store, key, memory)
            highest = {name: max(values, default=None) for name, values in memory.items()}
            facts[key] = SetFacts(images_in(store, key), highest["peak_memory_mib"], highest["peak_gpu_mib"])
    return facts


def images_in(store: Store, key: str) -> int | None:
    """Number of images of a distilled set, from the header of its file; None when it cannot be read."""
    from safetensors import SafetensorError, safe_open

    from ddbench.store.distilled import IMAGES_FILE

    try:
        with safe_open(store.folder("distill", key) / IMAGES_FILE, framework="np") as file:
            return int(file.get_slice("labels").get_shape()[0])
    except (OSError, SafetensorError):
        return None


def _memory(store: Store, key: str, into: dict[str, list[int]]) -> None:
    """Append the memory peaks of the stages behind a set to ``into``, except that of the shared prior."""
    manifest = store.manifest("distill", key)
    chain = manifest["task"]["chain"]
    runs = [manifest["run"]]
    for kind in ("fit", "embed"):
        runs += [store.manifest(kind, part)["run"] for part in chain if store.exists(kind, part)]
    for run in runs:
        for name, values in into.items():
            if run.get(name) is not None:
                values.append(int(run[name]))
