"""What stores know about distilled sets besides records: the stages behind them, numbers of images, peak memory."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from ddbench.api.stores import Stores
from ddbench.errors import CorruptArtifact
from ddbench.processors import allowed_processors
from ddbench.results.cost import SetFacts, set_key
from ddbench.results.forms import MODES, png
from ddbench.store.folder import Store
from ddbench.types import LabeledImages, Record


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


def logged(store: Store | None, kind: str, key: str) -> dict[str, float]:
    """The last value of each number that a stage logged, from its manifest; empty when there is none."""
    with contextlib.suppress(CorruptArtifact, KeyError):  # damaged: unknown
        if store is not None and store.exists(kind, key):
            return dict(store.manifest(kind, key)["log"])
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


def sized_sets(stores: Stores, records: Iterable[Record]) -> dict[str, SetFacts]:
    """``facts_of_sets`` with bytes: of pixels, of their PNG files, and of the soft labels in the set.

    PNG files are encoded once for each set, and their size is kept in the cache of its store where that can be written.
    """
    facts = facts_of_sets(stores, records)
    for key, found in facts.items():
        store = stores.holding("distill", key)
        assert store
        facts[key] = replace(found, **bytes_of_set(store, key))
    return facts


def bytes_of_set(store: Store, key: str) -> dict[str, int]:
    """``raw_bytes``, ``png_bytes`` and ``soft_bytes`` of a distilled set; empty when it cannot be read."""
    from ddbench.store.distilled import load_distilled

    try:
        made = load_distilled(store, key)
    except (CorruptArtifact, OSError):
        return {}
    soft = 0 if made.soft is None else made.soft.numel() * made.soft.element_size()
    sizes = {"raw_bytes": made.images.numel(), "soft_bytes": soft}
    return sizes | ({"png_bytes": _png_bytes(store, key, made)} if made.shape[0] in MODES else {})


def _png_bytes(store: Store, key: str, made: LabeledImages) -> int:
    def fill(folder: Path) -> None:
        with ThreadPoolExecutor(allowed_processors()) as pool:  # Pillow releases the GIL while it encodes
            (folder / "bytes").write_text(str(sum(pool.map(lambda image: len(png(image)), made.images))))

    try:
        return int((store.cache(f"png-bytes-{key}", fill) / "bytes").read_text())
    except OSError:  # a store that cannot be written
        with tempfile.TemporaryDirectory() as folder:
            fill(Path(folder))
            return int(Path(folder, "bytes").read_text())


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
