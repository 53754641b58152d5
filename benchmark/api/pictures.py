"""Pictures of the distilled sets of a plan. Their names hold keys, so that each is drawn once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ddbench.keys import digest
from ddbench.plan.graph import Plan, Stage
from ddbench.store.folder import Store

if TYPE_CHECKING:
    from ddbench.types import LabeledImages

REAL = "real"
"""the row of real train images"""


def draw(plan: Plan, store: Store) -> Path | None:
    """Draw the missing pictures under ``<store>/grids``; that folder, or None when no set has been made.

    For each distilled set ``<dataset>/<method>/ipc<n>-seed<s>-<key>.png`` with all of its images, and for each dataset,
    ipc and first seed an overview ``<dataset>/overview-ipc<n>-<key>.png`` with a row for each method below one of real
    images, which is left out where they cannot be read here.
    """
    root = store.root / "grids"
    sets = {
        (cell.dataset, cell.ipc, cell.seed, cell.method): plan.stages[plan.stages[key].parents[0]].key
        for cell, key in plan.cells.items()
        if plan.stages[key].parents
    }
    sets = {where: key for where, key in sets.items() if store.exists("distill", key)}
    judging = {cell.dataset: plan.stages[key] for cell, key in plan.cells.items()}
    first_seed = {(d, i): s for d, i, s, _ in sorted(sets, key=lambda where: -where[2])}
    overviews: dict[tuple[str, int], dict[str, str]] = {}
    for (dataset, ipc, seed, method), key in sets.items():
        path = root / dataset / method / f"ipc{ipc}-seed{seed}-{key[:8]}.png"
        if not path.exists():
            _draw_set(store, key, path)
        if seed == first_seed[dataset, ipc]:
            overviews.setdefault((dataset, ipc), {})[method] = key
    for (dataset, ipc), keys in overviews.items():
        path = root / dataset / f"overview-ipc{ipc}-{digest([REAL, keys])[:8]}.png"
        if not path.exists():
            _draw_overview(store, keys, path, f"{dataset}, IPC {ipc}: an image of each class", judging[dataset])
    return root if sets else None


def _draw_set(store: Store, key: str, path: Path) -> None:
    from ddbench.results.mosaics import set_mosaic
    from ddbench.store.distilled import load_distilled

    path.parent.mkdir(parents=True, exist_ok=True)
    set_mosaic(load_distilled(store, key)).save(path)


def _draw_overview(store: Store, keys: dict[str, str], path: Path, title: str, judging: Stage) -> None:
    from ddbench.results.mosaics import save_overview
    from ddbench.store.distilled import load_distilled

    sets = {method: load_distilled(store, key) for method, key in keys.items()}
    if real := _real(store, judging, next(iter(sets.values())).shape):
        sets = {REAL: real, **sets}
    save_overview(path, sets, title)


def _real(store: Store, judging: Stage, shape: tuple[int, int, int]) -> LabeledImages | None:
    """One train image of each class, drawn by seed; None where the dataset cannot be read or has another shape."""
    import torch

    from ddbench import seeding
    from ddbench.stages.inputs import dataset_of
    from ddbench.types import LabeledImages

    try:
        real = dataset_of(judging).load("train", store.cache)
    except Exception:  # a folder that moved since, a plug-in that is not here: the picture does without
        return None
    if real.shape != shape:
        return None
    order = torch.randperm(len(real), generator=seeding.generator("overview", "real"))
    labels = real.labels[order]
    chosen = torch.stack([order[(labels == k).nonzero()[0, 0]] for k in range(len(real.classes))])
    return LabeledImages(real.images[chosen], real.labels[chosen], real.classes)
