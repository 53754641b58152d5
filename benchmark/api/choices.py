"""What options of the api and the command line choose among; apart, so that the command's help imports nothing else."""

from __future__ import annotations

import math
from typing import Literal, get_args

from ddbench.errors import BenchError

DEFAULT_STORE = "bench-store"

Executor = Literal["auto", "inline", "ray"]
EXECUTORS: tuple[Executor, ...] = get_args(Executor)

SELECTS = ("last", "best")
"""accuracy at the last epoch, or the best along the curve (``results.statistics.Select``)"""

Layout = Literal["main", "methods", "ablation", "spread", "cost", "best-last", "balanced", "published", "labels"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)

Plotted = Literal["curves", "ipc", "cost", "projection"]
PLOTTED: tuple[Plotted, ...] = get_args(Plotted)

PlotWidth = Literal["natural", "column", "page"]
PLOT_WIDTHS: tuple[PlotWidth, ...] = get_args(PlotWidth)
"""of a figure (``results.plots.figures.Width``)"""

FILTERS = {
    "datasets": "dataset",
    "methods": "method",
    "ipc": "ipc",
    "archs": "arch",
    "protocols": "protocol",
}
"""filter -> the coordinate of a cell that it is about"""


def check_margin(margin: float) -> float:
    """``margin`` itself, percentage points. Raises BenchError where it is not a finite number above zero."""
    if not math.isfinite(margin) or margin <= 0:
        raise BenchError(f"a margin of {margin:g} points is none: it is a number above zero. Example: --margin 2")
    return margin
