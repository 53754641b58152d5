"""The summary of a run."""

from __future__ import annotations

from dataclasses import dataclass, field

from ddbench.plan.graph import Stage


@dataclass
class Summary:
    """Numbers of cells (total, ok, cached, failed, skipped) and, for each kind, of stages (run, cached).

    Results of another driver count as cached. Cells that a stop left undone count only in ``total``.
    """

    cells: dict[str, int]
    stages: dict[str, dict[str, int]]
    failures: list[tuple[Stage, str]] = field(default_factory=list)
    """(failed stage, reason), without its dependants"""
    changed: list[tuple[Stage, tuple[str, ...]]] = field(default_factory=list)
    """(stage that changed process-wide state, the changes as text), in the order in which they ended"""
    stopped: bool = False
    """whether a stop was requested"""
    error: str = ""
    """the exception that ended the run, or empty"""
