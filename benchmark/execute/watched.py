"""Passing the events of a run to its display and to watchers, none of which can stop a study by an error."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ddbench.execute.observer import Observer
from ddbench.execute.summary import Summary
from ddbench.plan.graph import Plan, Stage
from ddbench.plugins.registry import registered_name
from ddbench.stages.run import StageResult
from ddbench.store.folder import Store
from ddbench.types import Record, RunEnd, RunStart, StageEnd, Watcher

if TYPE_CHECKING:
    from ddbench.config.schema import Config


def run_start(config: Config, plan: Plan, store: Store) -> RunStart:
    """The event that watchers get when a study begins, still without the numbers of stages."""
    return RunStart(config.name, store.address, config.model_dump(mode="json"), tuple(plan.cells))


class Watched(Observer):
    """An observer that calls ``display`` and then each of ``watchers``; ``start`` is their first event.

    A watcher that raises is reported once, by name, through the display and not called again; with ``debug`` its
    traceback is shown. Only a KeyboardInterrupt is re-raised.
    """

    def __init__(self, display: Observer, watchers: Sequence[Watcher], start: RunStart, debug: bool = False) -> None:
        self.display, self.start, self.debug = display, start, debug
        self.watchers = list(watchers)
        self.failures: list[StageEnd] = []

    @property
    def wants_records(self) -> bool:
        return bool(self.watchers) or self.display.wants_records

    def begin(self, to_run: list[Stage]) -> None:
        self.display.begin(to_run)
        start = replace(self.start, stages=dict(Counter(stage.kind for stage in to_run)))
        self._tell("begin", lambda watcher: watcher.begin(start))

    def started(self, stage: Stage) -> None:
        self.display.started(stage)

    def finished(self, stage: Stage, result: StageResult) -> None:
        self.display.finished(stage, result)
        ended = StageEnd(stage.kind, stage.label, stage.key, result.outcome, result.reason, result.seconds)
        if result.outcome not in ("ok", "skipped"):
            self.failures.append(ended)
        self._tell("stage", lambda watcher: watcher.stage(ended))

    def record(self, record: Record) -> None:
        self.display.record(record)
        self._tell("record", lambda watcher: watcher.record(record))

    def end(self, summary: Summary) -> None:
        self.display.end(summary)
        failed = summary.error or summary.failures or summary.cells["failed"]
        end = RunEnd(
            outcome="stopped" if summary.stopped else "failed" if failed else "ok",
            reason=summary.error,
            cells=summary.cells,
            stages=summary.stages,
            failures=tuple(self.failures),
        )
        self._tell("end", lambda watcher: watcher.end(end))

    def say(self, message: str) -> None:
        self.display.say(message)

    def note(self, message: str) -> None:
        self.display.note(message)

    def _tell(self, event: str, call: Callable[[Watcher], None]) -> None:
        for watcher in tuple(self.watchers):
            try:
                call(watcher)
            except (Exception, SystemExit) as error:
                self.watchers = [other for other in self.watchers if other is not watcher]
                name, what = registered_name("watcher", type(watcher)), " ".join(str(error).split())
                why = f"{type(error).__name__}: {what}".removesuffix(": ")
                self.say(f"the watcher {name!r} failed at {event}() and is told nothing more; the run goes on: {why}")
                if self.debug:
                    self.say(traceback.format_exc())
