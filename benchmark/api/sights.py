"""Distilled sets among real images, as they are kept in the cache of a store."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddbench.results.pictures import Pictures
from ddbench.results.plots.projection import Projected
from ddbench.results.report.content import Sight as Sight

if TYPE_CHECKING:
    from ddbench.store.folder import Store

ARRAYS, ABOUT = "arrays.npz", "about.json"


class _NotKept(Exception):
    """What was found is not to be kept."""


def kept(store: Store | None, name: str, look: Callable[[], tuple[Sight | None, bool]]) -> Sight | None:
    """The sight that is kept as ``name`` in the cache of a store, else what ``look`` finds.

    ``look`` also says whether that is worth keeping: it is not when something could not be read. A store that cannot be
    written to, or whose cache is damaged, is done without.
    """
    found: list[Sight | None] = []

    def fill(folder: Path) -> None:
        sight, good = look()
        found.append(sight)
        if sight is None or not good:
            raise _NotKept
        _write(folder, sight)

    if store is not None:
        try:
            folder = store.cache(name, fill)
            return found[0] if found else _read(folder)
        except (_NotKept, OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
            if found:
                return found[0]
    return look()[0]


def _write(folder: Path, sight: Sight) -> None:
    import numpy as np

    arrays: dict[str, Any] = {"images": sight.real.images, "labels": sight.real.labels}
    about: dict[str, Any] = {"classes": sight.real.classes, "space": sight.space}
    if plane := sight.plane:
        arrays |= {"real": plane.real, "centres": np.array([*plane.centres.values()]).reshape(-1, 2)}
        sets: dict[str, Any] = {}
        for i, (method, by_class) in enumerate(plane.sets.items()):
            arrays[f"set{i}"] = np.concatenate([*by_class.values()])
            sets[method] = [[name, len(points)] for name, points in by_class.items()]
        about |= {"centres": [*plane.centres], "sets": sets, "explained": plane.explained, "fitted": plane.fitted}
    np.savez(folder / ARRAYS, **arrays)
    (folder / ABOUT).write_text(json.dumps(about))


def _read(folder: Path) -> Sight:
    import numpy as np

    about = json.loads((folder / ABOUT).read_text())
    with np.load(folder / ARRAYS, allow_pickle=False) as arrays:
        real = Pictures(arrays["images"], arrays["labels"], tuple(about["classes"]))
        if "sets" not in about:
            return Sight(real, None, about["space"])
        sets = {}
        for i, (method, sizes) in enumerate(about["sets"].items()):
            ends = np.cumsum([n for _, n in sizes])[:-1]
            parts = np.split(arrays[f"set{i}"], ends)
            sets[method] = {name: part for (name, _), part in zip(sizes, parts, strict=True)}
        centres = dict(zip(about["centres"], arrays["centres"], strict=True))
        plane = Projected(arrays["real"], centres, sets, about["explained"], about["fitted"])
        return Sight(real, plane, about["space"])
