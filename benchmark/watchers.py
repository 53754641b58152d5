"""Watchers: whoever is told of a run while it goes on, to log it elsewhere. They see everything and change nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ddbench.records import Cell, Outcome, Record


@dataclass(frozen=True)
class RunStart:
    """What a run is about to do."""

    name: str
    """of the study"""
    store: str
    """address of the store: a folder or a URL"""
    config: Mapping[str, Any] = field(default_factory=dict)
    """the whole configuration, as JSON"""
    cells: tuple[Cell, ...] = ()
    """every cell that is asked for, those that the store has already among them"""
    stages: Mapping[str, int] = field(default_factory=dict)
    """kind of stage -> number of stages to run; kinds with none are left out"""


@dataclass(frozen=True)
class StageEnd:
    """A stage that ended. One that was lost with its worker and is tried again has not ended yet."""

    kind: str
    """prior, fit, embed, shard, distill, evaluate or shift"""
    label: str
    """for readers; ``key`` tells stages apart"""
    key: str
    """of its artifact or record in the store"""
    outcome: Outcome
    reason: str = ""
    """why it did not succeed, or that another run on the same store made it"""
    seconds: float = 0.0
    """0 for what was not run here"""


@dataclass(frozen=True)
class RunEnd:
    """How a run ended."""

    outcome: Literal["ok", "failed", "stopped"]
    """failed: some cells have no number, or an error ended the run; stopped: somebody asked for it"""
    reason: str = ""
    """the error that ended the run before its time"""
    cells: Mapping[str, int] = field(default_factory=dict)
    """total, ok (made by this run), cached, failed, skipped"""
    stages: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """kind of stage -> how many this run ran (``run``) and how many were there already (``cached``)"""
    failures: tuple[StageEnd, ...] = ()
    """the stages that failed, not those behind them"""


class Watcher:
    """Is told of one run: of its begin, each stage and record in the order in which they end, and its end.

    What is not overridden does nothing. The fields of a subclass that is a dataclass, frozen or not, are its options,
    each with a default. The class is registered, and each run makes an instance of its own, in the process of the
    command: a method that takes long delays the next stage. A watcher that raises is reported once and told nothing
    more; the run goes on.
    """

    def begin(self, run: RunStart) -> None:
        """Before the first stage."""

    def stage(self, stage: StageEnd) -> None:
        """A stage ended. Stages behind a failed one do not run and are not told of."""

    def record(self, record: Record) -> None:
        """A record of this run is in the store: a cell that succeeded, failed or was skipped.

        What the store had already, or another run made at the same time, is not told of.
        """

    def end(self, summary: RunEnd) -> None:
        """After the last stage, also when the run was stopped or an error ended it."""
