"""A cell, which is the coordinates of one number in a table, and the record of one attempt at it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["ok", "failed", "timeout", "out_of_memory", "invalid_output", "skipped"]

WHOLE = 0
"""the ipc of a cell whose classifier is trained on the whole train split: nothing was distilled for it"""


@dataclass(frozen=True, order=True)
class Cell:
    """The coordinates of one number in a table."""

    dataset: str
    split: str
    arch: str
    ipc: int
    """images per class, or WHOLE"""
    method: str
    protocol: str
    seed: int
    """seed of the distilled set"""
    eval_seed: int
    """seed of the classifier trained on it"""

    def __str__(self) -> str:
        size = "all" if self.ipc == WHOLE else f"ipc{self.ipc}"
        return f"{self.dataset}/{self.method}/{size}/seed{self.seed}/{self.arch}/eval{self.eval_seed}"


@dataclass(frozen=True)
class Record:
    """One attempt at a cell, immutable.

    ``content()`` is what configuration and seeds determine; ``run`` is when, where and at what cost it ran.
    """

    key: str
    cell: Cell
    outcome: Outcome
    reason: str = ""
    curve: tuple[tuple[int, float], ...] = ()
    correct: str = ""
    """per-image correctness of the final model, packed bits (big-endian within a byte) as hex"""
    n_images: int = 0
    """number of images judged"""
    by_class: tuple[tuple[int, int], ...] = ()
    """(images that the final model has right, images judged) of each class that has any, in order of class name; empty
    in older records"""
    config: dict[str, Any] = field(default_factory=dict)
    """everything that this cell's stages read, by stage"""
    run: dict[str, Any] = field(default_factory=dict)
    """attempt, start, seconds by stage, provenance"""

    @property
    def last(self) -> float:
        """top-1 of the final epoch, a fraction"""
        return self.curve[-1][1]

    @property
    def best(self) -> float:
        """highest top-1 along the curve, a fraction; chosen on the evaluated images, so optimistic"""
        return max(accuracy for _, accuracy in self.curve)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @staticmethod
    def from_json(value: dict[str, Any]) -> Record:
        """The record that ``to_json`` wrote. Raises KeyError, TypeError or ValueError when ``value`` is no record."""
        curve = tuple((int(epoch), float(accuracy)) for epoch, accuracy in value["curve"])
        by_class = tuple((int(right), int(judged)) for right, judged in value.get("by_class", ()))
        return Record(**{**value, "cell": Cell(**value["cell"]), "curve": curve, "by_class": by_class})

    def content(self) -> dict[str, Any]:
        """Everything but ``run``: equal for the same cell on any machine and executor."""
        return {k: v for k, v in self.to_json().items() if k != "run"}
