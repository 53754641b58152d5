"""The interaction of two searched parameters as a map: every combination that was tried, coloured by its accuracy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from ddbench.results.sensitivity_curves import Setting, identity, in_order, value_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_LABELLED = 64
"""cells of a map whose numbers are written into it"""
WHERE_SIZE = 6
"""of the values of the other parameters, above a panel, in points"""


@dataclass(frozen=True)
class Map:
    """The combinations of two parameters."""

    x: str
    y: str
    xs: tuple[Any, ...]
    ys: tuple[Any, ...]
    cells: tuple[tuple[Setting | None, ...], ...]
    """a row for each of ``ys``; None where a combination was not tried"""
    others: Mapping[str, Any]
    """values of the other parameters"""

    @property
    def top1(self) -> tuple[tuple[float, ...], ...]:
        """Means in percent; NaN where ``blank`` says why there is none."""
        means = ((100 * s.top1 if s and s.complete and s.top1 is not None else math.nan for s in c) for c in self.cells)
        return tuple(map(tuple, means))

    @property
    def blank(self) -> tuple[tuple[str, ...], ...]:
        """``not tried``, ``failed`` or ``stopped early``; empty where there is a mean."""
        return tuple(
            tuple("not tried" if s is None else "" if s.outcome == "ok" else s.outcome for s in row)
            for row in self.cells
        )

    @property
    def chosen(self) -> tuple[int, int] | None:
        """Row and column of the setting that was chosen."""
        places = ((i, j) for i, row in enumerate(self.cells) for j, s in enumerate(row) if s and s.chosen)
        return next(places, None)

    def where(self, labels: Mapping[str, str]) -> str:
        """``eta 5, kind a``: the values that it holds at; empty without other parameters."""
        return ", ".join(f"{labels.get(key, key)} {value_text(value)}" for key, value in self.others.items())


def maps(keys: Sequence[str], settings: Sequence[Setting]) -> list[Map]:
    """A map for each pair of ``keys`` whose combinations were tried, all other keys at one value each.

    Combinations are a map where complete ones have two values or more of both, and at least three quarters of all were
    tried; those of a search one at a time are a cross and no map. Of several values of the other keys those with most
    complete settings count, and of equally many those of the chosen setting.
    """
    found = (_map(x, y, settings) for x, y in combinations(keys, 2))
    return [one for one in found if one]


def _map(x: str, y: str, settings: Sequence[Setting]) -> Map | None:
    groups: dict[str, list[Setting]] = {}
    for setting in settings:
        groups.setdefault(identity(setting.others(x, y)), []).append(setting)
    if not groups:
        return None
    tried = max(
        groups.values(), key=lambda group: (sum(s.outcome == "ok" for s in group), any(s.chosen for s in group))
    )
    done = [s for s in tried if s.outcome == "ok"]
    xs, ys = (in_order([s.values[key] for s in tried]) for key in (x, y))
    at = {(identity(s.values[y]), identity(s.values[x])): s for s in tried}
    if min(len(in_order([s.values[key] for s in done])) for key in (x, y)) < 2 or len(at) < 0.75 * len(xs) * len(ys):
        return None
    cells = tuple(tuple(at.get((identity(b), identity(a))) for a in xs) for b in ys)
    return Map(x, y, xs, ys, cells, tried[0].others(x, y))


def draw_map(axes: Axes, found: Map, labels: Mapping[str, str]) -> None:
    """A heat map; the chosen combination has a frame, and a blank one says why."""
    import seaborn

    seaborn.heatmap(
        found.top1,
        ax=axes,
        annot=len(found.xs) * len(found.ys) <= MOST_LABELLED,
        fmt=".1f",
        annot_kws={"size": 6.5},
        cmap="viridis",
        xticklabels=[value_text(value) for value in found.xs],
        yticklabels=[value_text(value) for value in found.ys],
        cbar_kws={"label": "validation top-1 (%)"},
    )
    axes.invert_yaxis()
    axes.tick_params(axis="y", rotation=0)
    axes.set_xlabel(labels[found.x])
    axes.set_ylabel(labels[found.y])
    if where := found.where(labels):
        axes.set_title(f"with {where}", fontsize=WHERE_SIZE)
    for row, reasons in enumerate(found.blank):
        for column, why in enumerate(reasons):
            centre: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": WHERE_SIZE, "color": "#59626b"}
            axes.text(column + 0.5, row + 0.5, why.replace(" ", "\n"), **centre)
    if found.chosen:
        from matplotlib.patches import Rectangle

        row, column = found.chosen
        axes.add_patch(Rectangle((column, row), 1, 1, fill=False, edgecolor="#d95f02", linewidth=1.8, clip_on=False))
