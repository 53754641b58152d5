"""Measures of distribution shift, averaged over distilled sets: a block for each dataset, split and IPC."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Measurement:
    """The measures of one distilled set; None, and why, when there are none."""

    dataset: str
    split: str
    ipc: int
    method: str
    seed: int
    space: str
    """the feature space, as a reader should know it"""
    measures: dict[str, Any] | None
    note: str = ""
    variants: Mapping[str, str] = field(default_factory=dict)
    """arch and protocol -> variant that the set was judged as: sets of several variants are not averaged"""
    words: str = ""
    """the feature space in a few words, for headings"""


@dataclass(frozen=True)
class Measure:
    """A measure and how its column is titled and printed."""

    key: str
    header: str
    digits: int
    meaning: str
    percent: bool = False
    several: bool = False
    """of the images of a class among each other: the same for every set that has one image a class"""


COLUMNS = (
    Measure("mean_shift", "mean shift", 2, "distance of class means / real width, the width being sqrt(trace cov)"),
    Measure("spread", "spread", 2, "width of a distilled class / real width", several=True),
    Measure("covariance_distance", "cov. dist.", 2, "Bures distance of class covariances / real width", several=True),
    Measure(
        "dpp_loss",
        "L_dpp",
        2,
        "-log det(K + {epsilon} I) of the cosine kernel of a class, lower is more diverse",
        several=True,
    ),
    Measure("vendi", "Vendi", 2, "effective number of different images in a class, at most IPC", several=True),
    Measure(
        "precision", "precision", 2, "share of distilled images within the real class's {k}-nearest-neighbour balls"
    ),
    Measure("recall", "recall", 2, "share of real images within the distilled ones' balls, defined above IPC {k}"),
    Measure("density", "density", 2, "real balls that hold a distilled image / {k}"),
    Measure("coverage", "coverage", 2, "share of real balls that hold a distilled image"),
    Measure("nearest_ratio", "nearest", 2, "median distance to the nearest train image / that between train images"),
    Measure("close", "close %", 0, "nearer to a train image than 99 % of these are to each other", percent=True),
    Measure("copies", "copies %", 0, "equal to a train image, pixel by pixel", percent=True),
    Measure(
        "judged", "judged %", 0, "equal or nearly equal to an image of the judged split and to no train image", True
    ),
    Measure("latent_ratio", "latent", 2, "mean absolute latent / that of train images"),
)
PLAIN = ("mean_distance", "frechet", "latent_abs", "equal", "near", "in_both", "repeated")
"""measures in the units of the space, and numbers of images that are judged or repeated, in csv and json only"""


@dataclass(frozen=True)
class ShiftRow:
    """A method in a block: (mean, sample standard deviation over the distilled sets) of each measure, or why not.

    The mean is None where the measure is not defined, the deviation None for a single set.
    """

    method: str
    sets: int
    values: dict[str, tuple[float | None, float | None]]
    latent_space: str
    options: tuple[int, float] | None = None
    """(k, epsilon) that were measured with"""
    note: str = ""


@dataclass(frozen=True)
class ShiftBlock:
    """Rows that may stand in one table."""

    dataset: str
    split: str
    ipc: int
    space: str
    rows: tuple[ShiftRow, ...]
    words: str = ""
    """the feature space in a few words"""

    def columns(self) -> list[Measure]:
        """The measures that say something here: some row has a number, which does not follow from the IPC alone."""
        return [
            column
            for column in COLUMNS
            if not (column.several and self.ipc == 1)
            and any(row.values.get(column.key, (None, None))[0] is not None for row in self.rows)
        ]


def shift_blocks(measurements: Iterable[Measurement]) -> list[ShiftBlock]:
    """The measurements as blocks, in their order; incomplete rows are not averaged and say so."""
    groups: dict[tuple[str, str, int, str], dict[str, list[Measurement]]] = {}
    measurements = list(measurements)
    for m in measurements:
        groups.setdefault((m.dataset, m.split, m.ipc, m.space), {}).setdefault(m.method, []).append(m)
    words = {m.space: m.words for m in measurements}
    blocks = [
        ShiftBlock(*place, tuple(_row(*row) for row in group.items()), words[place[-1]])
        for place, group in groups.items()
    ]
    places = list(dict.fromkeys((block.dataset, block.split) for block in blocks))
    return sorted(blocks, key=lambda block: (places.index((block.dataset, block.split)), block.ipc))


def _row(method: str, sets: list[Measurement]) -> ShiftRow:
    present = [m.measures for m in sets if m.measures is not None]
    if len(present) < len(sets):
        why = next(m.note for m in sets if m.measures is None)
        note = f"{len(sets) - len(present)} missing of {len(sets)}: {why}"
        return ShiftRow(method, len(sets), {}, "", note=note)
    variants = {pair for m in sets for pair in m.variants.items()}
    if len(variants) > len({judged for judged, _ in variants}):
        return ShiftRow(method, len(sets), {}, "", note="the sets are of several configurations")
    keys = [column.key for column in COLUMNS] + list(PLAIN)
    latent_space = ", ".join(sorted({measures["latent_space"] for measures in present}))
    options = (present[0]["neighbours"], present[0]["epsilon"])
    values = {key: _mean([measures.get(key) for measures in present]) for key in keys}
    return ShiftRow(method, len(sets), values, latent_space, options)


def _mean(values: list[float | None]) -> tuple[float | None, float | None]:
    numbers = [value for value in values if value is not None]
    if len(numbers) < len(values):
        return None, None
    return statistics.fmean(numbers), statistics.stdev(numbers) if len(numbers) > 1 else None
