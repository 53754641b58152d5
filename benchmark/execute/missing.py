"""Finding the stages of a plan that still have to run."""

from __future__ import annotations

from dataclasses import dataclass

from ddbench.errors import CorruptArtifact
from ddbench.execute.observer import Observer
from ddbench.plan.graph import Plan, Stage
from ddbench.plan.shift import ShiftPlan
from ddbench.store.folder import Store
from ddbench.types import Record


@dataclass(frozen=True)
class Missing:
    """The stages that have to run, parents first, and the records of the cells that are done or skipped, by key."""

    stages: dict[str, Stage]
    done: dict[str, Record]


def find_missing(plan: Plan, store: Store, observer: Observer) -> Missing:
    """Check every record and artifact of a plan. Damaged ones are set aside and reported to the observer."""
    records = {record.key: record for record in store.records(plan.cells.values(), observer.say)}
    done = {key: record for key, record in records.items() if record.outcome in ("ok", "skipped")}
    return Missing(_stages_to_run(plan, store, set(done), observer), done)


def to_run(plan: Plan, store: Store, observer: Observer | None = None) -> dict[str, Stage]:
    """The stages that some cell still needs for its record, and those whose artifact is damaged, parents first.

    With an ``observer``, damaged artifacts and records are set aside and reported to it. Without, the store is only
    read, and records are not opened.
    """
    if observer:
        return find_missing(plan, store, observer).stages
    skipped = {key for key, stage in plan.stages.items() if "skipped" in stage.task}
    return _stages_to_run(plan, store, store.done() | skipped, None)


def _stages_to_run(plan: Plan, store: Store, done: set[str], observer: Observer | None) -> dict[str, Stage]:
    present = {
        key: key in done if stage.kind == "evaluate" else is_present(store, stage, observer)
        for key, stage in plan.stages.items()
    }
    needed = {key for key, stage in plan.stages.items() if stage.kind == "evaluate" and not present[key]}
    needed |= {key for key in plan.stages if present[key] is None}
    for key, stage in reversed(plan.stages.items()):
        if key in needed:
            needed.update(before for before in stage.waits_for if not present.get(before, True))
    return {key: stage for key, stage in plan.stages.items() if key in needed}


def shift_to_run(planned: ShiftPlan, store: Store, observer: Observer | None = None) -> dict[str, Stage]:
    """The stages that some set still needs for its measures, parents first. With an ``observer``, damaged artifacts are
    set aside."""
    stages = planned.plan.stages
    absent = {key for key, stage in stages.items() if not is_present(store, stage, observer)}
    needed = {key for key in absent if stages[key].kind == "shift"}
    for key, stage in reversed(stages.items()):
        if key in needed:
            needed.update(parent for parent in stage.parents if parent in absent)
    return {key: stage for key, stage in stages.items() if key in needed}


def is_present(store: Store, stage: Stage, observer: Observer | None) -> bool | None:
    """Whether the artifact of a stage exists; None when it is damaged. With an ``observer``, it is then set aside."""
    try:
        return store.has(stage.kind, stage.key)
    except CorruptArtifact as error:
        if observer:
            set_aside(store, error, observer)
        return None


def is_damaged(store: Store, damage: CorruptArtifact, observer: Observer) -> bool:
    """Whether the artifact that a stage reported as damaged still is; another stage may have had it made again.

    A damaged artifact is set aside.
    """
    try:
        store.read(damage.kind, damage.key)
        return False
    except CorruptArtifact:
        if store.folder(damage.kind, damage.key).exists():
            set_aside(store, damage, observer)
        return True


def set_aside(store: Store, damage: CorruptArtifact, observer: Observer) -> None:
    target = store.set_aside(damage.kind, damage.key)
    observer.say(f"{damage}; set aside as {target} and made again")
