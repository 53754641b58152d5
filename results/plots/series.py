"""From records to the data of the figures: pure functions, accuracies as fractions."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from ddbench.results.cost import SetFacts, cost_of, front
from ddbench.results.statistics import WHOLE, Estimate, Position, Select, estimate
from ddbench.types import Cell, Record

T = TypeVar("T")


@dataclass(frozen=True, order=True)
class Place:
    """The part of a study that a panel shows; ipc is None where it is the x axis."""

    dataset: str
    split: str
    protocol: str
    arch: str
    ipc: int | None = None

    def __str__(self) -> str:
        return f"{self.dataset}, {self.arch}" + ("" if self.ipc is None else f", IPC {self.ipc}")


@dataclass(frozen=True)
class Curve:
    """Accuracy by epoch. sd: over distilled sets, each first averaged over its classifiers; None for a single one."""

    epochs: tuple[int, ...]
    mean: tuple[float, ...]
    sd: tuple[float, ...] | None


@dataclass(frozen=True)
class PlottedMean:
    """A mean accuracy with its 95 % t interval (ends None where there is a single distilled set)."""

    mean: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Priced:
    """A method's cost and accuracy. seconds: its own computing for each distilled image, without the prior."""

    seconds: float
    accuracy: float
    front: bool = False
    """whether it is on the Pareto front, see ``cost.front``"""


@dataclass(frozen=True)
class Panel(Generic[T]):
    """Methods in the order of the runs, and the accuracy of the whole train split where it was judged."""

    place: Place
    methods: dict[str, T] = field(default_factory=dict)
    whole: dict[str, float] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    """methods that are incomplete here"""


def plotted_mean(value: Estimate) -> PlottedMean | None:
    """The mean with its interval (``Estimate.interval`` says over what); None where there is no mean."""
    if value.mean is None:
        return None
    interval = value.interval()
    return PlottedMean(value.mean, interval.low, interval.high) if interval else PlottedMean(value.mean)


def plotted_means(
    wanted: Mapping[Cell, str], records: Iterable[Record], select: Select
) -> dict[Position, PlottedMean | None]:
    """The mean at every position of ``wanted``."""
    return {position: plotted_mean(value) for position, value in estimate(wanted, records, select).items()}


def curve_panels(wanted: Mapping[Cell, str], records: Iterable[Record]) -> list[Panel[Curve]]:
    """Mean curves by (dataset, split, protocol, arch, ipc) and method, only where every cell is there."""
    found: dict[Place, Panel[Curve]] = {}
    whole: dict[Place, dict[str, float]] = {}
    for position, members in _grouped(wanted, records).items():
        place = _place(position)
        curve = _curve([record for record in members if record]) if all(members) else None
        if place.ipc == WHOLE:
            if curve:
                whole.setdefault(_anywhere(place), {})[position.method] = curve.mean[-1]
            continue
        panel = found.setdefault(place, Panel(place))
        if curve:
            panel.methods[position.method] = curve
        else:
            panel.left_out.append(position.method)
    return [replace(panel, whole=whole.get(_anywhere(panel.place), {})) for panel in _in_order(found)]


def ipc_panels(means: Mapping[Position, PlottedMean | None]) -> list[Panel[dict[int, PlottedMean]]]:
    """Means by (dataset, split, protocol, arch) and method, over ipc. None: incomplete, left out."""
    found: dict[Place, Panel[dict[int, PlottedMean]]] = {}
    for position, mean in means.items():
        place = _anywhere(_place(position))
        panel = found.setdefault(place, Panel(place))
        if mean is None:
            panel.left_out.append(f"{position.method} at IPC {position.ipc}" if position.ipc else position.method)
        elif position.ipc == WHOLE:
            panel.whole[position.method] = mean.mean
        else:
            panel.methods.setdefault(position.method, {})[position.ipc] = mean
    return [panel for panel in _in_order(found) if panel.methods]


def cost_panels(
    wanted: Mapping[Cell, str],
    records: Iterable[Record],
    means: Mapping[Position, PlottedMean | None],
    facts: Mapping[str, SetFacts],
) -> list[Panel[Priced]]:
    """Cost and accuracy of each method by (dataset, split, protocol, arch, ipc), the Pareto front marked.

    facts: by key of the distilled set.
    """
    found: dict[Place, Panel[Priced]] = {}
    for position, members in _grouped(wanted, records).items():
        mean = means.get(position)
        seconds = cost_of([record for record in members if record], facts).own_per_image
        if position.ipc == WHOLE or mean is None or seconds is None:
            continue
        panel = found.setdefault(_place(position), Panel(_place(position)))
        panel.methods[position.method] = Priced(seconds, mean.mean)
    panels = []
    for panel in _in_order(found):
        best = front({method: (p.seconds, p.accuracy) for method, p in panel.methods.items()})
        marked = {method: replace(p, front=method in best) for method, p in panel.methods.items()}
        panels.append(replace(panel, methods=marked))
    return panels


def _curve(records: Sequence[Record]) -> Curve | None:
    """None when the records do not share their epochs, and so cannot be averaged."""
    epochs = tuple(epoch for epoch, _ in records[0].curve)
    if any(tuple(epoch for epoch, _ in record.curve) != epochs for record in records) or not epochs:
        return None
    by_set: dict[int, list[list[float]]] = {}
    for record in records:
        by_set.setdefault(record.cell.seed, []).append([accuracy for _, accuracy in record.curve])
    sets = [[statistics.fmean(at) for at in zip(*curves, strict=True)] for curves in by_set.values()]
    mean = tuple(statistics.fmean(at) for at in zip(*sets, strict=True))
    sd = tuple(statistics.stdev(at) for at in zip(*sets, strict=True)) if len(sets) > 1 else None
    return Curve(epochs, mean, sd)


def _grouped(wanted: Mapping[Cell, str], records: Iterable[Record]) -> dict[Position, list[Record | None]]:
    """The good record of every cell of a position; None for a cell without."""
    good = {record.key: record for record in records if record.outcome == "ok"}
    groups: dict[Position, list[Record | None]] = {}
    for cell, key in wanted.items():
        groups.setdefault(Position.of(cell), []).append(good.get(key))
    return groups


def _place(position: Position) -> Place:
    return Place(position.dataset, position.split, position.protocol, position.arch, position.ipc)


def _anywhere(place: Place) -> Place:
    return Place(place.dataset, place.split, place.protocol, place.arch)


def _in_order(panels: Mapping[Place, Panel[T]]) -> list[Panel[T]]:
    """By first appearance of everything but the ipc, then by ipc."""
    first = list(dict.fromkeys(_anywhere(place) for place in panels))
    return sorted(panels.values(), key=lambda panel: (first.index(_anywhere(panel.place)), panel.place.ipc or 0))
