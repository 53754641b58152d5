"""The interaction of two searched parameters as a map: every combination that was tried, coloured by its accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_LABELLED = 64
"""cells of a map whose numbers are written into it"""


class Tried(Protocol):
    """A setting that was tried."""

    @property
    def values(self) -> Mapping[str, Any]: ...
    @property
    def top1(self) -> float | None: ...
    @property
    def complete(self) -> bool: ...
    @property
    def chosen(self) -> bool: ...


@dataclass(frozen=True)
class Map:
    """Means of the combinations of two parameters, in percent; NaN for one that failed or was not tried."""

    x: str
    y: str
    xs: tuple[Any, ...]
    ys: tuple[Any, ...]
    top1: tuple[tuple[float, ...], ...]
    """a row for each of ``ys``"""
    chosen: tuple[int, int] | None
    """row and column of the setting that was chosen"""


def maps(keys: Sequence[str], settings: Sequence[Tried]) -> list[Map]:
    """A map for each pair of ``keys`` whose combinations were tried, all other keys at one value each.

    Combinations are a map where both have two values or more and at least three quarters of them were tried; those of a
    search one at a time are a cross and no map. Of several values of the other keys those of most settings count.
    """
    found = (_map(x, y, [key for key in keys if key not in (x, y)], settings) for x, y in combinations(keys, 2))
    return [one for one in found if one]


def _map(x: str, y: str, others: Sequence[str], settings: Sequence[Tried]) -> Map | None:
    groups: dict[tuple[str, ...], list[Tried]] = {}
    for setting in settings:
        if setting.complete and setting.top1 is not None:
            groups.setdefault(tuple(str(setting.values[key]) for key in others), []).append(setting)
    if not groups:
        return None
    tried = max(groups.values(), key=len)
    xs, ys = (_ordered({s.values[key] for s in tried}) for key in (x, y))
    at = {(s.values[y], s.values[x]): s for s in tried}
    if min(len(xs), len(ys)) < 2 or len(at) < 0.75 * len(xs) * len(ys):
        return None
    top1 = tuple(tuple(100 * (s.top1 or 0.0) if (s := at.get((b, a))) else float("nan") for a in xs) for b in ys)
    chosen = next(((ys.index(b), xs.index(a)) for (b, a), s in at.items() if s.chosen), None)
    return Map(x, y, xs, ys, top1, chosen)


def _ordered(values: set[Any]) -> tuple[Any, ...]:
    """Numbers by size; any others by name, behind them."""
    return tuple(
        sorted(values, key=lambda v: (not isinstance(v, int | float), v if isinstance(v, int | float) else 0, str(v)))
    )


def draw_map(axes: Axes, found: Map, labels: Mapping[str, str]) -> None:
    """A heat map; the chosen combination has a frame."""
    import seaborn

    seaborn.heatmap(
        found.top1,
        ax=axes,
        annot=len(found.xs) * len(found.ys) <= MOST_LABELLED,
        fmt=".1f",
        annot_kws={"size": 6.5},
        cmap="viridis",
        xticklabels=[_text(value) for value in found.xs],
        yticklabels=[_text(value) for value in found.ys],
        cbar_kws={"label": "validation top-1 (%)"},
    )
    axes.invert_yaxis()
    axes.tick_params(axis="y", rotation=0)
    axes.set_xlabel(labels[found.x])
    axes.set_ylabel(labels[found.y])
    if found.chosen:
        from matplotlib.patches import Rectangle

        row, column = found.chosen
        axes.add_patch(Rectangle((column, row), 1, 1, fill=False, edgecolor="#d95f02", linewidth=1.8, clip_on=False))


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
