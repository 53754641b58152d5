"""Methods in order, and how sure that order is: a board for each split and protocol, never one across them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ddbench.results.cost import Made, cost_of, front
from ddbench.results.statistics import Position, Sample, Select
from ddbench.results.statistics.intervals import Interval, t_interval
from ddbench.results.statistics.ranks import pairwise, rank_intervals, ranks

WHOLE = 0
"""the ipc of a method that stands for the whole train split, and competes with nobody"""

RowKey = tuple[str, str, int]
"""(dataset, arch, ipc)"""


@dataclass(frozen=True)
class Entry:
    """A method on a board. Accuracies are fractions, means over the rows of the board."""

    method: str
    rank: float
    """mean rank over the rows; equal accuracies share ranks"""
    low: float
    high: float
    """ends of the mean rank's interval, see ``rank_intervals``"""
    mean: float
    interval: Interval | None
    """95 % t interval of ``mean`` over distilled sets; None for a single set, or where rows have other seeds"""
    seconds: float | None
    """of computing for each distilled image: embedding, fine-tuning and distilling, mean over rows; None is unknown"""
    front: bool
    """whether no other method is as cheap and better, or cheaper and as good"""
    sets: tuple[int, ...]
    """distilled sets in each row"""


@dataclass(frozen=True)
class Board:
    """The methods that are complete in every row, best first, and why the others are left out."""

    split: str
    protocol: str
    select: Select
    rows: tuple[RowKey, ...]
    entries: tuple[Entry, ...]
    left_out: Mapping[str, str]
    """method -> why it has no rank"""


def boards(samples: Mapping[Position, Sample], made: Mapping[str, Made]) -> list[Board]:
    """A board for each split and protocol. ``made``: what is known of distilled sets, by key."""
    groups: dict[tuple[str, str], list[Sample]] = {}
    for position, sample in samples.items():
        if position.ipc != WHOLE:
            groups.setdefault((position.split, position.protocol), []).append(sample)
    return [_board(*group, found, made) for group, found in groups.items()]


def _board(split: str, protocol: str, samples: Sequence[Sample], made: Mapping[str, Made]) -> Board:
    by_row: dict[RowKey, dict[str, Sample]] = {}
    for sample in samples:
        place = sample.position
        by_row.setdefault((place.dataset, place.arch, place.ipc), {})[place.method] = sample
    methods = dict.fromkeys(sample.position.method for sample in samples)
    left_out = {m: why for m in methods if (why := _lacking(m, by_row))}
    ranked = [method for method in methods if method not in left_out]
    rows = [{method: row[method] for method in ranked} for row in by_row.values()]
    entries = _entries(ranked, rows, made) if ranked else []
    return Board(split, protocol, samples[0].select, tuple(by_row), tuple(entries), left_out)


def _lacking(method: str, by_row: Mapping[RowKey, Mapping[str, Sample]]) -> str:
    """Why a method is not complete in every row; empty where it is."""
    for (dataset, arch, ipc), row in by_row.items():
        if method not in row:
            return f"not run on {dataset}, {arch}, IPC {ipc}"
        if row[method].note:
            return f"{row[method].note} on {dataset}, {arch}, IPC {ipc}"
    return ""


def _entries(methods: Sequence[str], rows: Sequence[Mapping[str, Sample]], made: Mapping[str, Made]) -> list[Entry]:
    means = [[statistics.fmean(row[m].set_means.values()) for m in methods] for row in rows]
    orders = [dict(zip(methods, ranks(values), strict=True)) for values in means]
    intervals = rank_intervals(methods, [pairwise(row) for row in rows])
    accuracy = {m: statistics.fmean(values[i] for values in means) for i, m in enumerate(methods)}
    costs = {m: [cost_of(row[m].good, made).own_per_image for row in rows] for m in methods}
    seconds = {m: _mean_if_known(found) for m, found in costs.items()}
    best = front({m: (cost, accuracy[m]) for m, cost in seconds.items() if cost is not None})
    entries = [
        Entry(
            method=m,
            rank=statistics.fmean(order[m] for order in orders),
            low=intervals[m][0],
            high=intervals[m][1],
            mean=accuracy[m],
            interval=_interval([row[m] for row in rows]),
            seconds=seconds[m],
            front=m in best,
            sets=tuple(len(row[m].set_means) for row in rows),
        )
        for m in methods
    ]
    return sorted(entries, key=lambda entry: (entry.rank, -entry.mean))


def _interval(samples: Sequence[Sample]) -> Interval | None:
    """The t interval of the mean over rows, each seed averaged over the rows first.

    So the sets of one seed may depend on one another as they like: the same set is judged by several archs.
    """
    seeds = set(samples[0].set_means)
    if len(seeds) < 2 or any(set(sample.set_means) != seeds for sample in samples):
        return None
    averages = [statistics.fmean(sample.set_means[seed] for sample in samples) for seed in sorted(seeds)]
    return t_interval(statistics.fmean(averages), statistics.stdev(averages), len(averages))


def _mean_if_known(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if len(known) == len(values) else None
