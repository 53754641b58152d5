"""Watchers: observers of a run, for logging it elsewhere. They cannot change it."""

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
    """every cell of the study, including those that the store has already"""
    stages: Mapping[str, int] = field(default_factory=dict)
    """kind of stage -> number of stages to run; kinds with none are left out"""


@dataclass(frozen=True)
class StageEnd:
    """A stage that ended. A stage that was lost with its worker and is tried again has not ended."""

    kind: str
    """prior, fit, embed, shard, distill, evaluate or shift"""
    label: str
    """for readers; ``key`` tells stages apart"""
    key: str
    """of its artifact or record in the store"""
    outcome: Outcome
    reason: str = ""
    """why it failed or was skipped, or that another run on the same store made it"""
    seconds: float = 0.0
    """0 for a stage that did not run here"""


@dataclass(frozen=True)
class RunEnd:
    """How a run ended."""

    outcome: Literal["ok", "failed", "stopped"]
    """failed: some cells have no accuracy, or an error ended the run; stopped: by a signal"""
    reason: str = ""
    """the error that ended the run early"""
    cells: Mapping[str, int] = field(default_factory=dict)
    """total, ok (made by this run), cached, failed, skipped"""
    stages: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """kind of stage -> number of stages that this run ran (``run``) and that the store had already (``cached``)"""
    failures: tuple[StageEnd, ...] = ()
    """the stages that failed, without those that depend on them"""


class Watcher:
    """Base class of observers of a run. Methods that are not overridden do nothing.

    A subclass may be a dataclass; its fields are its options, each with a default. The class is registered, and each
    run creates an instance in the process of the command, so that a slow method delays the next stage. A watcher that
    raises is reported once and not called again; the run goes on.
    """

    def begin(self, run: RunStart) -> None:
        """Called before the first stage."""

    def stage(self, stage: StageEnd) -> None:
        """Called when a stage ends. Stages that depend on a failed one do not run and are not reported."""

    def record(self, record: Record) -> None:
        """Called when this run has written a record to the store: a cell that succeeded, failed or was skipped.

        Records that the store had already, or that another run writes at the same time, are not reported.
        """

    def end(self, summary: RunEnd) -> None:
        """Called after the last stage, also when the run was stopped or an error ended it."""
