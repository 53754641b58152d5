"""What carrying out a plan came to."""

from __future__ import annotations

from dataclasses import dataclass, field

from ddbench.plan.graph import Stage


@dataclass
class Summary:
    """Cells: ok (made now), cached, failed, skipped; stages of each kind: run and cached.

    What another driver made meanwhile counts as cached. Cells that a stop left undone are in ``total`` alone.
    """

    cells: dict[str, int]
    stages: dict[str, dict[str, int]]
    failures: list[tuple[Stage, str]] = field(default_factory=list)
    """(the stage that failed, why), not the cells behind it"""
    stopped: bool = False
    """whether a stop was asked for"""
    error: str = ""
    """the exception that broke it off"""
