"""Whole figures: every panel of a kind, for a file or one by one for a page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, get_args

from ddbench.results.cost import SetFacts
from ddbench.results.plots import draw
from ddbench.results.plots.canvas import FONT_SIZE, Size, panels
from ddbench.results.plots.palette import Look, looks
from ddbench.results.plots.projection import Projected, projection
from ddbench.results.plots.series import Panel, cost_panels, curve_panels, ipc_panels, plotted_means
from ddbench.results.statistics import WHOLE, Select
from ddbench.types import Cell, Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Width = Literal["natural", "column", "page"]
"""natural: as it reads best on a screen; column, page: as wide as a column or the page of a conference paper"""
WIDTHS: tuple[Width, ...] = get_args(Width)
INCHES = {"column": 3.25, "page": 6.875}
"""of two-column conference styles, such as CVPR's"""
PRINTED = 7.0
"""points of text in a paper's figure"""
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


def font_of(width: Width) -> float:
    """Points of text in a figure of ``width``, for ``drawing``."""
    return FONT_SIZE if width == "natural" else PRINTED


def together(parts: Sequence[Drawing], columns: int = 2, note: str = "", width: Width = "natural") -> Figure:
    """All panels in one figure, each with room for the longest labels, ``columns`` in a row at most, and a note below.

    As wide as a paper's column it has half as many in a row. Draw it in ``drawing(font_of(width))``.
    """
    size = replace(parts[0].size, right=max(part.size.right for part in parts))
    if width != "natural":
        columns = min(max(1, columns // 2) if width == "column" else columns, len(parts))
        size = _printed(size, INCHES[width] / columns)
    figure, axes = panels(len(parts), size, columns, note=note)
    for place, part in zip(axes, parts, strict=True):
        part.paint(place)
    return figure


def _printed(size: Size, width: float) -> Size:
    """The size of a panel ``width`` inches wide: margins follow the text, the panel itself is lower and wider."""
    margin = PRINTED / FONT_SIZE
    return Size(
        width=width,
        height=width * min(1.0, 1.08 * size.height / size.width),
        left=size.left * margin,
        right=size.right,
        top=size.top * margin,
        bottom=size.bottom * margin,
    )


def _titled(axes: Axes, paint: Callable[..., None], panel: Panel[Any], looks: Mapping[str, Look]) -> None:
    paint(axes, panel, looks)
    axes.set_title(str(panel.place))
