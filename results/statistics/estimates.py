"""From records to one number a table cell: averages over distilled sets and classifiers, of complete positions only."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from ddbench.results.statistics.balanced import Balanced, balanced
from ddbench.results.statistics.intervals import Components, Interval, components, t_interval
from ddbench.results.statistics.versions import several_versions
from ddbench.types import Cell, Record

if TYPE_CHECKING:
    import numpy as np

Select = Literal["last", "best"]

WHOLE = 0
"""the ipc of the whole train split: one number for all rows of a dataset and arch, which is not ranked"""

RowKey = tuple[str, str, int]
"""(dataset, arch, ipc)"""


@dataclass(frozen=True)
class Position:
    """A place in a table: a cell without its seeds."""

    dataset: str
    split: str
    protocol: str
    arch: str
    ipc: int
    method: str

    @staticmethod
    def of(cell: Cell) -> Position:
        return Position(cell.dataset, cell.split, cell.protocol, cell.arch, cell.ipc, cell.method)

    @property
    def row(self) -> RowKey:
        """The row of a table that it stands in."""
        return self.dataset, self.arch, self.ipc

    def __str__(self) -> str:
        size = "all" if self.ipc == WHOLE else f"ipc{self.ipc}"
        return f"{self.dataset}/{self.method}/{size}/{self.arch}"


@dataclass(frozen=True)
class Estimate:
    """Top-1 accuracy at a position, as fractions.

    mean: over the distilled sets, each first averaged over its classifiers. sd: sample standard deviation (ddof = 1)
    of the distilled sets' averages, None for a single set; where the whole train split stands for a set (ipc 0), of its
    classifiers. ``note`` says why there is no mean.
    """

    mean: float | None
    sd: float | None
    sets: int
    """distilled sets asked for"""
    classifiers: int
    """classifiers trained on each of them"""
    cells: int
    ok: int
    note: str = ""
    last: float | None = None
    """mean at the last epoch, whichever epoch ``mean`` is of"""
    optimism: float | None = None
    """mean of best minus last over the cells, a fraction: what choosing the epoch on the judged images adds"""
    balanced: Balanced | None = None
    """balanced accuracy; None where the records do not hold it"""
    components: Components | None = None
    """the parts of the spread that are due to distilled sets and to classifiers"""

    @property
    def draws(self) -> int:
        """Number of independent values that ``sd`` is of: distilled sets, or classifiers of the whole train split."""
        return self.sets if self.sets > 1 else self.classifiers

    def interval(self, confidence: float = 0.95) -> Interval | None:
        """The t interval of the mean; None where there is no spread. See ``t_interval`` for what it covers."""
        if self.mean is None or self.sd is None:
            return None
        return t_interval(self.mean, self.sd, self.draws, confidence)


@dataclass(frozen=True)
class Sample:
    """The cells of a position with their records. ``select``: which accuracy of a record is used."""

    position: Position
    members: tuple[tuple[Cell, Record | None], ...]
    select: Select = "last"

    @cached_property
    def good(self) -> tuple[Record, ...]:
        return tuple(record for _, record in self.members if record is not None and record.outcome == "ok")

    @cached_property
    def note(self) -> str:
        """Why these cells are not averaged; empty where they are.

        An average over the cells that happen to be there would be read as that of all cells, and one over several
        configurations as that of a method.
        """
        if len(self.good) < len(self.members):
            outcomes = [record.outcome for _, record in self.members if record is not None and record.outcome != "ok"]
            missing = len(self.members) - len(self.good)
            why = f"{len(outcomes)} {outcomes[0].replace('_', ' ')}" if outcomes else f"{missing} missing"
            return f"{why} of {len(self.members)}"
        if len({record.config["evaluate"].get("variant") for record in self.good}) > 1:
            versions = several_versions(self.good)
            return f"of several versions: {', '.join(versions)}" if versions else "mixed configurations"
        return ""

    @cached_property
    def by_set(self) -> dict[int, dict[int, float]]:
        """Accuracy by seed of the distilled set and seed of the classifier."""
        found: dict[int, dict[int, float]] = {}
        for record in self.good:
            found.setdefault(record.cell.seed, {})[record.cell.eval_seed] = accuracy(record, self.select)
        return found

    @cached_property
    def set_means(self) -> dict[int, float]:
        """The average over classifiers of each distilled set, by its seed."""
        return {seed: statistics.fmean(values.values()) for seed, values in self.by_set.items()}

    @property
    def draws(self) -> dict[int, float]:
        """The independent values that the spread is of: averages of distilled sets, or, of the whole train split, its
        classifiers."""
        whole = len(self.by_set) == 1 and self.position.ipc == WHOLE
        return next(iter(self.by_set.values())) if whole else self.set_means

    @cached_property
    def right(self) -> np.ndarray | None:
        """int64 (images,): how many of the final models have each judged image right; None where that is not known."""
        import numpy as np

        sizes = {record.n_images for record in self.good}
        if len(sizes) != 1 or not all(record.correct for record in self.good):
            return None
        packed = np.frombuffer(bytes.fromhex("".join(record.correct for record in self.good)), dtype=np.uint8)
        bits = np.unpackbits(packed.reshape(len(self.good), -1), axis=1, count=sizes.pop())
        return bits.sum(axis=0, dtype=np.int64)

    @property
    def judged(self) -> tuple[Any, ...]:
        """The identity of the judged images: only over the same images are two methods compared image by image."""
        first = self.good[0]
        task = first.config["evaluate"]
        fingerprint = task.get("judged", task.get("dataset", {})).get("fingerprint")  # one for all splits before 0.2
        return self.position.dataset, self.position.split, fingerprint, first.n_images

    @cached_property
    def estimate(self) -> Estimate:
        cells = [cell for cell, _ in self.members]
        found = Estimate(
            mean=None,
            sd=None,
            sets=len({cell.seed for cell in cells}),
            classifiers=len({cell.eval_seed for cell in cells}),
            cells=len(cells),
            ok=len(self.good),
            note=self.note,
        )
        if self.note:
            return found
        draws = list(self.draws.values())
        mean = statistics.fmean(self.set_means.values())
        sd = statistics.stdev(draws) if len(draws) > 1 else None
        optimism = statistics.fmean(record.best - record.last for record in self.good)
        parts = components(self.by_set)
        last = mean if self.select == "last" else statistics.fmean(replace(self, select="last").set_means.values())
        by_class = balanced(self.good)
        return replace(found, mean=mean, sd=sd, last=last, optimism=optimism, balanced=by_class, components=parts)

    @property
    def so_far(self) -> Estimate:
        """The estimate while cells are still being made: the mean of those that are there, without a spread, is no
        result yet, and ``ok`` of ``cells`` says so; ``note`` counts those that failed."""
        found = self.estimate
        if found.ok == found.cells:
            return found
        ended = [record.outcome for _, record in self.members if record is not None and record.outcome != "ok"]
        note = f"{len(ended)} {ended[0].replace('_', ' ')}" if ended else ""
        if self.good:
            return replace(found, mean=statistics.fmean(self.set_means.values()), note=note)
        return found if ended else replace(found, note=f"0/{found.cells}")


def samples(wanted: Mapping[Cell, str], records: Iterable[Record], select: Select) -> dict[Position, Sample]:
    """The sample at each position of the cells ``wanted`` (cell -> key), in their order. One pass over each."""
    by_key = {record.key: record for record in records}
    positions: dict[Position, list[tuple[Cell, Record | None]]] = {}
    for cell, key in wanted.items():
        positions.setdefault(Position.of(cell), []).append((cell, by_key.get(key)))
    return {position: Sample(position, tuple(members), select) for position, members in positions.items()}


def estimate(wanted: Mapping[Cell, str], records: Iterable[Record], select: Select) -> dict[Position, Estimate]:
    """The estimate at each position of the cells ``wanted`` (cell -> key), in their order.

    A position with a missing or failed cell, or whose cells come from several configurations, has no mean.
    """
    return {position: sample.estimate for position, sample in samples(wanted, records, select).items()}


def accuracy(record: Record, select: Select) -> float:
    """The accuracy of a record: of the final epoch, or the best along the curve (optimistic)."""
    return record.last if select == "last" else record.best
