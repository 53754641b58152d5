"""The content of a report as plain values, read in full before the page is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ddbench.results.cost import SetFacts
from ddbench.results.pictures import Pictures
from ddbench.results.plots.projection import Projected
from ddbench.results.shift import ShiftBlock
from ddbench.results.statistics import Select
from ddbench.results.tables import CaptionFacts
from ddbench.types import Cell, Record


@dataclass(frozen=True)
class Run:
    """A study that was run."""

    name: str
    description: str
    cells: int
    tuned: tuple[Mapping[str, Any], ...] = ()
    """the searches that chose its values, with their cost"""


@dataclass(frozen=True)
class Sight:
    """Distilled sets among real images."""

    real: Pictures
    """some of the train split, drawn by seed"""
    plane: Projected | None
    """None where no set has the shape of the real images"""
    space: str
    """what the plane is fitted in"""


@dataclass(frozen=True)
class Gallery:
    """The distilled sets of one dataset, ipc and seed by method, and what they look like among real images."""

    dataset: str
    ipc: int
    seed: int
    sets: Mapping[str, Pictures]
    among: Sight | None = None
    """None where the train split cannot be read"""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Search:
    """A search of hyper-parameters: its trials best first, and a picture of them."""

    title: str
    about: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    picture: bytes
    """PNG"""
    width: int
    """of the picture on the page, in CSS pixels"""


@dataclass(frozen=True)
class Content:
    """A study as its stores hold it. ``records``: the one that counts for each key."""

    wanted: Mapping[Cell, str]
    records: Sequence[Record]
    runs: Sequence[Run]
    galleries: Sequence[Gallery] = ()
    shift: Sequence[ShiftBlock] = ()
    searches: Sequence[Search] = field(default_factory=tuple)
    notes: Sequence[str] = ()
    """what could not be read, for the reader"""
    select: Select = "last"
    facts: CaptionFacts = field(default_factory=CaptionFacts)
    sets: Mapping[str, SetFacts] = field(default_factory=dict)
    """by key of the distilled set"""
