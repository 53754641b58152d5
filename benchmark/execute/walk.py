"""Walking a plan: which stages are still to run, in which order, and what a failure means for those behind it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol

from benchmark.config import STAGE_KINDS
from benchmark.errors import BenchError, CorruptArtifact
from benchmark.execute.backend import Backend
from benchmark.plan import Plan, Stage
from benchmark.stages import StageResult, failed_record
from benchmark.store import Store


class Watcher(Protocol):
    """Is told what happens, as it happens."""

    def begin(self, to_run: list[Stage]) -> None: ...

    def started(self, stage: Stage) -> None: ...

    def finished(self, stage: Stage, result: StageResult) -> None: ...

    def say(self, message: str) -> None: ...


@dataclass
class Summary:
    """What a walk did. Cells: ok (made now), cached, failed; stages of each kind: run and cached."""

    cells: dict[str, int]
    stages: dict[str, dict[str, int]]
    failures: list[tuple[Stage, str]] = field(default_factory=list)
    """(the stage that failed, why), not the cells behind it"""


def to_run(plan: Plan, store: Store, watcher: Watcher | None = None) -> dict[str, Stage]:
    """The stages without which some cell has no record, and those whose artifact is damaged, parents first.

    With a ``watcher``, damaged artifacts and records are set aside and it is told so; without, the store is only
    read, and records by their names alone.
    """
    if watcher:
        store.records(plan.cells.values(), watcher.say)
    done = store.done()
    present = {}
    for key, stage in plan.stages.items():
        present[key] = key in done if stage.kind == "evaluate" else _whole(store, stage, watcher)
    needed = {key for key, stage in plan.stages.items() if stage.kind == "evaluate" and not present[key]}
    needed |= {key for key in plan.stages if present[key] is None}
    for key, stage in reversed(plan.stages.items()):
        if key in needed:
            needed.update(parent for parent in stage.parents if not present[parent])
    return {key: stage for key, stage in plan.stages.items() if key in needed}


def walk(plan: Plan, store: Store, missing: dict[str, Stage], backend: Backend, watcher: Watcher) -> Summary:
    """Run the stages ``missing`` (see ``to_run``) of a plan.

    A stage that fails fails the cells that rest on it, on record, and nothing else.
    """
    waiting, planned = dict(missing), set(missing)
    watcher.begin(list(waiting.values()))
    under_way: set[str] = set()
    failures: list[tuple[Stage, str]] = []
    failed: dict[str, str] = {}
    retried: set[str] = set()
    ran: Counter[str] = Counter()

    while waiting or under_way:
        for stage in _ready(waiting, under_way):
            if backend.fits(stage):
                del waiting[stage.key]
                under_way.add(stage.key)
                watcher.started(stage)
                backend.submit(stage)
        if not under_way:
            stage = next(iter(waiting.values()))
            raise BenchError(
                f"nothing here can run the {stage.kind} stage {stage.label}: it asks for more than there is."
            )
        stage, result = backend.wait()
        under_way.discard(stage.key)
        if result.corrupt and stage.key not in retried:
            retried.add(stage.key)
            damage = CorruptArtifact(*result.corrupt)
            for again in (plan.stages[damage.key], stage) if _is_damaged(store, damage, watcher) else (stage,):
                if again.key not in under_way:
                    waiting[again.key] = again
                    planned.add(again.key)
            continue
        watcher.finished(stage, result)
        ran[stage.kind] += result.outcome == "ok"
        if result.outcome != "ok":
            failures.append((stage, result.reason))
            _fail(stage, result, plan, waiting, store, failed)
    cells = Counter("failed" if key in failed else "ok" if key in planned else "cached" for key in plan.cells.values())
    counts, asked = plan.counts(), Counter(plan.stages[key].kind for key in planned)
    return Summary(
        cells={"total": len(plan.cells), **{k: cells.get(k, 0) for k in ("ok", "failed", "cached")}, "skipped": 0},
        stages={kind: {"run": ran[kind], "cached": counts[kind] - asked[kind]} for kind in STAGE_KINDS},
        failures=failures,
    )


def _ready(waiting: dict[str, Stage], under_way: set[str]) -> list[Stage]:
    """Stages whose parents are neither waiting nor under way, those that most others rest on first."""
    ready = [s for s in waiting.values() if not any(p in waiting or p in under_way for p in s.parents)]
    return sorted(ready, key=lambda stage: STAGE_KINDS.index(stage.kind))


def _fail(
    stage: Stage, result: StageResult, plan: Plan, waiting: dict[str, Stage], store: Store, failed: dict[str, str]
) -> None:
    """Record the failure of ``stage`` in every cell that rests on it, and take what cannot run any more out."""
    broken = {stage.key: stage}
    for key, other in plan.stages.items():
        if key in waiting and any(parent in broken for parent in other.parents):
            broken[key] = waiting.pop(key)
    for cell in broken.values():
        if cell.kind == "evaluate":
            reason = result.reason if cell is stage else f"{stage.kind} stage {stage.label}: {result.reason}"
            store.write_record(failed_record(cell, result.outcome, reason))
            failed[cell.key] = reason


def _whole(store: Store, stage: Stage, watcher: Watcher | None) -> bool | None:
    """Whether the artifact of a stage is there; None when it was damaged and had to be set aside."""
    try:
        return store.has(stage.kind, stage.key)
    except CorruptArtifact as error:
        if watcher:
            _set_aside(store, error, watcher)
        return None


def _is_damaged(store: Store, damage: CorruptArtifact, watcher: Watcher) -> bool:
    """Whether the artifact that a stage met as damaged still is, and not made again for another stage meanwhile.

    What is damaged is set aside.
    """
    try:
        store.read(damage.kind, damage.key)
        return False
    except CorruptArtifact:
        if store.folder(damage.kind, damage.key).exists():
            _set_aside(store, damage, watcher)
        return True


def _set_aside(store: Store, damage: CorruptArtifact, watcher: Watcher) -> None:
    target = store.set_aside(damage.kind, damage.key)
    watcher.say(f"{damage}; set aside as {target} and made again")
