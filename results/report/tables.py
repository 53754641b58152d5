"""The tables of a report as plain values: the main table by split and protocol, and one line for each position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ddbench.results.cost import SetFacts, cost_of
from ddbench.results.report.content import Content
from ddbench.results.statistics import WHOLE, Estimate, Position, RowKey, Sample, samples
from ddbench.results.statistics.ranks import pairwise, rank_intervals
from ddbench.results.tables import Block, blocks
from ddbench.results.tables.labels import has_both, label_tables
from ddbench.results.tables.model import Table
from ddbench.results.tables.text import percent, percent_interval
from ddbench.types import Cell, Record


@dataclass(frozen=True)
class Number:
    """A cell of a table. ``value`` sorts it; ``anchor`` leads to where it comes from."""

    text: str
    spread: str = ""
    value: float | None = None
    mark: str = ""
    """best, second or nothing"""
    anchor: str = ""
    hint: str = ""


@dataclass(frozen=True)
class MainRow:
    dataset: str
    arch: str
    ipc: str
    order: int
    numbers: tuple[tuple[str, Number], ...]
    """(method, its number), as the columns"""


@dataclass(frozen=True)
class MainTable:
    split: str
    protocol: str
    caption: str
    methods: tuple[str, ...]
    rows: tuple[MainRow, ...]


@dataclass(frozen=True)
class ReportPosition:
    """A position with its estimate, cells, rank and cost."""

    anchor: str
    position: Position
    estimate: Estimate
    members: tuple[tuple[Cell, Record | None], ...]
    number: Number
    interval: str
    ranks: tuple[int, int] | None
    """lowest and highest rank among the complete methods of its row; None where it is not tested"""
    seconds: float | None
    """of the method's own computing for each distilled image"""

    @property
    def title(self) -> str:
        place = self.position
        return f"{place.dataset}, {place.method}, {ipc_text(place.ipc)}, {place.arch}"


def report_positions(content: Content) -> list[ReportPosition]:
    """Every position of the runs, in their order."""
    found = samples(content.wanted, content.records, content.select)
    ranks = _ranks(found)
    return [
        _entry(f"p{i}", sample, ranks.get(position), content.sets) for i, (position, sample) in enumerate(found.items())
    ]


def main_tables(content: Content, found: Sequence[ReportPosition]) -> list[MainTable]:
    """A table for each split and protocol, in the papers' layout."""
    by_position = {entry.position: entry for entry in found}
    estimates = {entry.position: entry.estimate for entry in found}
    return [
        MainTable(
            split=block.split,
            protocol=block.protocol,
            caption=block.caption(),
            methods=block.methods,
            rows=tuple(_main_row(block, row, by_position) for row in block.rows),
        )
        for block in blocks(estimates, content.select, content.facts)
    ]


def label_parts(content: Content) -> list[Table]:
    """Hard and soft labels side by side, with DD-Ranking's scores and what the labels take; none where the study has
    labels of one kind alone."""
    found = samples(content.wanted, content.records, content.select)
    if not has_both(found, content.facts):
        return []
    return label_tables(found, content.facts, sets=content.sets)


def ipc_text(ipc: int) -> str:
    return "all images" if ipc == WHOLE else f"IPC {ipc}"


def duration(seconds: float | None) -> str:
    """``4.2 s``, ``3.1 min``, ``2.5 h``; a dash for None."""
    if seconds is None:
        return "–"
    if seconds < 120:
        return f"{seconds:.3g} s" if seconds >= 0.001 else "< 0.001 s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def _ranks(found: Mapping[Position, Sample]) -> dict[Position, tuple[int, int]]:
    """Rank intervals by row: a position without its method. The whole train split is not ranked."""
    rows: dict[Position, dict[str, Sample]] = {}
    for place, sample in found.items():
        if place.ipc != WHOLE and not sample.note:
            rows.setdefault(replace(place, method=""), {})[place.method] = sample
    ranked = {}
    for row in rows.values():
        intervals = rank_intervals(list(row), [pairwise(row)]) if len(row) > 1 else {}
        for method, interval in intervals.items():
            if interval:
                ranked[row[method].position] = round(interval[0]), round(interval[1])
    return ranked


def _entry(anchor: str, sample: Sample, ranks: tuple[int, int] | None, facts: Mapping[str, SetFacts]) -> ReportPosition:
    value = sample.estimate
    ends = value.interval()
    interval = percent_interval(ends) if ends else ""
    counts = f"{value.ok} of {value.cells} cells, {value.sets} × {value.classifiers} seeds"
    number = Number(
        text=percent(value.mean) if value.mean is not None else f"({value.note})",
        spread="" if value.sd is None else percent(value.sd),
        value=value.mean,
        anchor=anchor,
        hint=f"95 % interval {interval}; {counts}" if interval else counts,
    )
    return ReportPosition(
        anchor=anchor,
        position=sample.position,
        estimate=value,
        members=sample.members,
        number=number,
        interval=interval,
        ranks=ranks,
        seconds=cost_of(sample.good, facts).own_per_image,
    )


def _main_row(block: Block, row: RowKey, found: Mapping[Position, ReportPosition]) -> MainRow:
    dataset, arch, ipc = row
    marks = block.marks(row)
    numbers = []
    for method in block.methods:
        places = (Position(dataset, block.split, block.protocol, arch, n, method) for n in (ipc, WHOLE))
        entry = next((found[place] for place in places if place in found), None)
        number = entry.number if entry else Number("–")
        mark = marks.get(method, "")
        numbers.append((method, replace(number, mark=mark)))
    return MainRow(dataset, arch, "all" if ipc == WHOLE else str(ipc), ipc, tuple(numbers))
