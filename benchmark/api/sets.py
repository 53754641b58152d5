"""What stores know of distilled sets besides their records: how many images they have, and the memory they took."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ddbench.results.cost import SetFacts
    from ddbench.store.folder import Store
    from ddbench.types import Record


def made_of(stores: Sequence[Store], records: Iterable[Record]) -> dict[str, SetFacts]:
    """By key, the distilled sets that ``records`` judged, of those that lie on this machine. Headers alone are read."""
    from ddbench.errors import CorruptArtifact
    from ddbench.results.cost import SetFacts, set_key

    found: dict[str, SetFacts] = {}
    for key in dict.fromkeys(filter(None, map(set_key, records))):
        for store in stores:
            if store.there("distill", key):
                memory: dict[str, list[int]] = {"peak_memory_mib": [], "peak_gpu_mib": []}
                with contextlib.suppress(CorruptArtifact, KeyError):  # what is damaged is unknown
                    _memory(store, key, memory)
                highest = {name: max(values, default=None) for name, values in memory.items()}
                found[key] = SetFacts(_images(store, key), highest["peak_memory_mib"], highest["peak_gpu_mib"])
                break
    return found


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


def _images(store: Store, key: str) -> int | None:
    from safetensors import SafetensorError, safe_open

    from ddbench.store.distilled import IMAGES_FILE

    try:
        with safe_open(store.folder("distill", key) / IMAGES_FILE, framework="np") as file:
            return int(file.get_slice("labels").get_shape()[0])
    except (OSError, SafetensorError):
        return None
