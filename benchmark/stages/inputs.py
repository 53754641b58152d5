"""What running a stage is made of: its task turned back into objects, what it rests on, and what is said of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ddbench.config.addresses import Addresses
from ddbench.config.values import build, plain
from ddbench.errors import BenchError
from ddbench.keys import digest
from ddbench.stages import attempt
from ddbench.stages.provenance import provenance
from ddbench.store.folder import Store
from ddbench.types import Cache, Compute, Dataset, ImageView, LabeledImages, Preparation, Split, StageContext

if TYPE_CHECKING:
    from ddbench.plan.graph import Stage


@dataclass
class Cost:
    """Seconds of the method's or evaluator's own work, and what it logged."""

    seconds: float = 0.0
    log: dict[str, float] = field(default_factory=dict)


def load_state(
    store: Store, chain: list[dict[str, Any]], keys: tuple[str, ...], context: StageContext, addresses: Addresses
) -> Any:
    """The state of the last of a chain of preparations, each loaded on top of the one before; None for no chain."""
    state = None
    for described, key in zip(chain, keys, strict=True):
        preparation: Preparation = build(plain(described), addresses)
        state = preparation.load(store.read(preparation.stage, key), state, context)
    return state


def dataset_at(described: dict[str, Any], addresses: Addresses, location: dict[str, Any]) -> Dataset:
    """The dataset that a task describes, with the options that say where it lies. Raises ImportError."""
    options = {k: v for k, v in plain(described).items() if k not in {"name", "fingerprint"}}
    dataset: Dataset = build(options | location, addresses)
    return dataset


def dataset_of(stage: Stage) -> Dataset:
    """The dataset that a stage reads, where it lies on this machine."""
    return dataset_at(stage.task["dataset"], stage.addresses, stage.location)


def load_split(
    dataset: Dataset, split: Split, cache: Cache | None = None, view: ImageView | None = None
) -> LabeledImages:
    """The images of a split, or with ``view`` their files decoded so. Raises BenchError when they are not what the
    dataset declares."""
    images = dataset.load_view(split, view, cache) if view else dataset.load(split, cache)
    found = {"classes": images.classes, "shape": images.shape}
    declared = {
        "classes": dataset.classes,
        "shape": (dataset.shape[0], view.side, view.side) if view else dataset.shape,
    }
    if split == "train":
        found["counts"] = tuple(images.labels.bincount(minlength=len(images.classes)).tolist())
        declared["counts"] = tuple(dataset.train_counts())
    for what, value in declared.items():
        if found[what] != value:
            raise BenchError(
                f"the dataset {dataset.name} declares the {what} {value}, and its {split} split has {found[what]}."
            )
    return images


def judged_view(stage: Stage) -> ImageView | None:
    """The view through which an evaluate stage decodes the judged images; None for those that the dataset gives."""
    view = stage.task["judged"].get("view")
    return ImageView(**view) if view else None


def context_of(stage: Stage, store: Store, seed: int) -> tuple[Cost, StageContext]:
    """What a stage lends to its method or evaluator, and the cost that fills as it runs."""
    cost = Cost()
    networks = {
        name: build(plain(described), stage.addresses) for name, described in stage.task.get("networks", {}).items()
    }
    context = StageContext(
        seed=seed,
        device=stage.task["device"],
        data=digest(stage.task["dataset"]),
        networks=networks,
        compute=Compute(**stage.task.get("compute", {})),
        log=cost.log.update,
        progress=store.progress(stage.key),
        cache=store.cache,
        scratch=store.scratch(stage.key),
    )
    return cost, context


@contextmanager
def timed(cost: Cost) -> Iterator[None]:
    """Count the seconds within the block, when it ends well."""
    started = time.perf_counter()
    yield
    cost.seconds = time.perf_counter() - started


def about(stage: Stage, cost: Cost) -> dict[str, Any]:
    """For a manifest: what was read, what was logged, and what it took where."""
    run = {"seconds": cost.seconds, **attempt.notes(), "provenance": provenance()}
    return {"task": stage.task, "addresses": stage.addresses, "log": cost.log, "run": run}
