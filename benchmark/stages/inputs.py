"""The inputs of a running stage, built from its task: dataset, parents' state and context; and its manifest."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ddbench import turns
from ddbench.config.addresses import Addresses
from ddbench.config.values import build, plain
from ddbench.errors import BenchError
from ddbench.isolation.around import settle
from ddbench.keys import digest
from ddbench.stages import attempt, determinism
from ddbench.stages.hardware import hardware_of
from ddbench.stages.provenance import provenance
from ddbench.store.folder import Store
from ddbench.types import Cache, Compute, Dataset, ImageView, LabeledImages, Preparation, Split, StageContext

if TYPE_CHECKING:
    from ddbench.plan.graph import Stage


@dataclass
class StageCost:
    """Cost of one stage: seconds of the method's or protocol's own work, and the values that it logged.

    Of stages that take turns the seconds are divided among them, so that those of all add up to what passed.
    """

    seconds: float = 0.0
    wall: float = 0.0
    """seconds that passed"""
    log: dict[str, float] = field(default_factory=dict)


def load_state(
    store: Store, chain: list[dict[str, Any]], keys: tuple[str, ...], context: StageContext, addresses: Addresses
) -> Any:
    """Load a chain of preparations, each given the state of the one before; the last state, or None for no chain."""
    state = None
    for described, key in zip(chain, keys, strict=True):
        preparation: Preparation = build(plain(described), addresses)
        state = preparation.load(store.read(preparation.stage, key), state, context)
    settle()
    return state


def dataset_at(described: dict[str, Any], addresses: Addresses, location: dict[str, Any]) -> Dataset:
    """The dataset that a task describes; ``location``: its options that are no part of keys. Raises ImportError."""
    options = {k: v for k, v in plain(described).items() if k not in {"name", "fingerprint"}}
    dataset: Dataset = build(options | location, addresses)
    return dataset


def dataset_of(stage: Stage) -> Dataset:
    """The dataset that a stage reads, at its location on this machine."""
    return dataset_at(stage.task["dataset"], stage.addresses, stage.location)


def load_split(
    dataset: Dataset, split: Split, cache: Cache | None = None, view: ImageView | None = None
) -> LabeledImages:
    """The images of a split; with ``view``, decoded from their files as it says.

    Raises BenchError when classes, shape or train counts differ from those declared.
    """
    images = dataset.load_view(split, view, cache) if view else dataset.load(split, cache)
    settle()
    loaded = {"classes": images.classes, "shape": images.shape}
    declared = {
        "classes": dataset.classes,
        "shape": (dataset.shape[0], view.side, view.side) if view else dataset.shape,
    }
    if split == "train":
        loaded["counts"] = tuple(images.labels.bincount(minlength=len(images.classes)).tolist())
        declared["counts"] = tuple(dataset.train_counts())
    for what, value in declared.items():
        if loaded[what] != value and (what != "counts" or dataset.counts_exact):
            raise BenchError(
                f"the dataset {dataset.name} declares the {what} {value}, and its {split} split has {loaded[what]}."
            )
    return images


def judged_view(stage: Stage) -> ImageView | None:
    """The view through which an evaluate stage decodes the judged images; None for those that the dataset gives."""
    view = stage.task["judged"].get("view")
    return ImageView(**view) if view else None


def context_of(stage: Stage, store: Store, seed: int) -> tuple[StageCost, StageContext]:
    """The context that a stage gives to its method or protocol, and the cost that is filled while it runs."""
    cost = StageCost()
    networks = {
        name: build(plain(described), stage.addresses) for name, described in stage.task.get("networks", {}).items()
    }
    context = StageContext(
        seed=seed,
        device=stage.task["device"],
        data=digest(stage.task["dataset"]),
        networks=networks,
        compute=Compute.from_task(stage.task.get("compute", {})),
        log=cost.log.update,
        progress=store.progress(stage.key),
        cache=store.cache,
        scratch=store.scratch(stage.key),
    )
    return cost, context


@contextmanager
def timed(cost: StageCost) -> Iterator[None]:
    """Set ``cost.seconds`` to the duration of the block, the code of a plug-in, if it does not raise."""
    started, began = turns.clock(), time.perf_counter()
    yield
    cost.seconds, cost.wall = turns.clock() - started, time.perf_counter() - began
    settle()


def about(stage: Stage, cost: StageCost) -> dict[str, Any]:
    """The manifest of a stage: its task, logged values, cost and provenance."""
    measured = {"seconds": cost.seconds, "hardware": hardware_of(stage.task)}
    run = {**measured, **attempt.notes(), **determinism.notes(), "provenance": provenance()}
    return {"task": stage.task, "addresses": stage.addresses, "log": cost.log, "run": run}
