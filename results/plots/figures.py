"""Whole figures: every panel of a kind, for a file or one by one for a page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ddbench.results.cost import SetFacts
from ddbench.results.plots import draw
from ddbench.results.plots.canvas import Size, panels
from ddbench.results.plots.palette import Look, looks
from ddbench.results.plots.projection import Projected, projection
from ddbench.results.plots.series import Panel, cost_panels, curve_panels, ipc_panels, plotted_means
from ddbench.results.statistics import WHOLE, Select
from ddbench.types import Cell, Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PROJECTION = Size(width=2.7, height=2.55, left=0.08, right=0.08, top=0.32, bottom=0.06)


@dataclass(frozen=True)
class Drawing:
    """A panel that can be drawn: ``paint`` puts it on axes of ``size``."""

    title: str
    size: Size
    paint: Callable[[Axes], None]
    methods: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    def alone(self) -> Figure:
        """A figure of this panel."""
        return together([self], 1)


def looks_of(wanted: Iterable[Cell]) -> dict[str, Look]:
    """The look of every method of a study, by its order of appearance."""
    cells = list(wanted)
    return looks([cell.method for cell in cells], {cell.method for cell in cells if cell.ipc == WHOLE})


def drawings(
    kind: str,
    wanted: Mapping[Cell, str],
    records: Sequence[Record],
    select: Select,
    looks: Mapping[str, Look],
    facts: Mapping[str, SetFacts],
) -> list[Drawing]:
    """The panels of ``kind`` (curves, ipc or cost); no panel where no method is complete.

    facts: by key of the distilled set; for the cost.
    """
    found: Sequence[Panel[Any]]
    paint: Callable[..., None]
    if kind == "curves":
        found, paint = curve_panels(wanted, records), draw.curves
    elif kind == "ipc":
        found, paint = ipc_panels(plotted_means(wanted, records, select)), draw.ipc
    else:
        found, paint = cost_panels(wanted, records, plotted_means(wanted, records, select), facts), draw.cost
    return [
        Drawing(
            title=str(panel.place),
            size=Size() if kind == "cost" else replace(Size(), right=draw.right_of(panel)),
            paint=partial(_titled, paint=paint, panel=panel, looks=looks),
            methods=(*panel.methods, *panel.whole),
            left_out=tuple(panel.left_out),
        )
        for panel in found
        if panel.methods
    ]


def projections(projected: Projected, looks: Mapping[str, Look], where: str = "") -> list[Drawing]:
    """A panel for each method; ``where`` is added to its title."""
    return [
        Drawing(
            title=method,
            size=PROJECTION,
            paint=partial(projection, projected=projected, method=method, looks=looks, where=where),
            methods=(method,),
        )
        for method in projected.sets
    ]


def together(parts: Sequence[Drawing], columns: int = 2) -> Figure:
    """All panels in one figure, each with room for the longest labels."""
    size = replace(parts[0].size, right=max(part.size.right for part in parts))
    figure, axes = panels(len(parts), size, columns)
    for place, part in zip(axes, parts, strict=True):
        part.paint(place)
    return figure


def _titled(axes: Axes, paint: Callable[..., None], panel: Panel[Any], looks: Mapping[str, Look]) -> None:
    paint(axes, panel, looks)
    axes.set_title(str(panel.place))
