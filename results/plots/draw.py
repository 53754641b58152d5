"""Drawing one panel: accuracy curves, accuracy against IPC, and accuracy against cost."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ddbench.results.plots.labels import label_ends, label_points, room
from ddbench.results.plots.palette import LIGHT, Look
from ddbench.results.plots.series import Curve, Panel, PlottedMean, Priced

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BAND = 0.09
"""opacity of a spread"""
BESIDE = 1.6
"""points between the intervals of two methods, or less, so that all of them lie within a marker"""
SHORTEST = 1e-5
"""seconds; shorter times are drawn here, for a log axis has no zero"""
BLANK = 0.06
"""free share of the axis above and below the data"""


def curves(axes: Axes, panel: Panel[Curve], looks: Mapping[str, Look]) -> None:
    """Mean accuracy by epoch, with a band of one standard deviation over distilled sets."""
    from matplotlib.ticker import MaxNLocator

    heights: list[float] = list(panel.whole.values())
    for method, curve in panel.methods.items():
        look = looks[method]
        point = look.marker if len(curve.epochs) == 1 else ""
        line: dict[str, Any] = {"color": look.colour, "linestyle": look.dash, "marker": point, "gid": look.gid}
        axes.plot(curve.epochs, _percent(curve.mean), **line)
        spread = curve.sd or (0.0,) * len(curve.mean)
        low = [m - s for m, s in zip(curve.mean, spread, strict=True)]
        high = [m + s for m, s in zip(curve.mean, spread, strict=True)]
        if curve.sd:
            band: dict[str, Any] = {"color": look.colour, "alpha": BAND, "linewidth": 0, "gid": look.gid}
            axes.fill_between(curve.epochs, _percent(low), _percent(high), **band)
        heights += low + high
    _frame(axes, heights)
    first, last = min(c.epochs[0] for c in panel.methods.values()), max(c.epochs[-1] for c in panel.methods.values())
    if first < last:
        axes.set_xlim(first, last)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    else:
        axes.set_xticks([first])
    axes.set_xlabel("epoch")
    _whole(axes, panel.whole, looks)
    label_ends(axes, {method: 100 * curve.mean[-1] for method, curve in panel.methods.items()} | _ends(panel), looks)


def ipc(axes: Axes, panel: Panel[dict[int, PlottedMean]], looks: Mapping[str, Look]) -> None:
    """Accuracy against images per class on a log axis: points at their IPC, their intervals beside one another."""
    from matplotlib import rcParams
    from matplotlib.transforms import offset_copy

    beside = min(BESIDE, rcParams["lines.markersize"] / max(len(panel.methods) - 1, 1))
    ticks = sorted({n for levels in panel.methods.values() for n in levels})
    heights = list(panel.whole.values())
    for i, (method, levels) in enumerate(panel.methods.items()):
        look = looks[method]
        at = sorted(levels)
        means = [levels[n].mean for n in at]
        axes.plot(at, _percent(means), color=look.colour, linestyle=look.dash, marker=look.marker, gid=look.gid)
        aside = beside * (i - (len(panel.methods) - 1) / 2)
        shifted = offset_copy(axes.transData, axes.get_figure(root=True), x=aside, units="points")
        for n in at:
            low, high = levels[n].low, levels[n].high
            if low is not None and high is not None:
                bar: dict[str, Any] = {"color": look.colour, "linewidth": 0.8, "gid": look.gid, "transform": shifted}
                axes.plot([n, n], _percent([low, high]), **bar)
                heights += [max(low, 0.0), min(high, 1.0)]
        heights += means
    _frame(axes, heights)
    axes.set_xscale("log")
    reach = (ticks[-1] / ticks[0]) ** 0.07 if len(ticks) > 1 else 2
    axes.set_xlim(ticks[0] / reach, ticks[-1] * reach)
    axes.set_xticks(ticks, [str(n) for n in ticks])
    axes.minorticks_off()
    axes.set_xlabel("images per class")
    _whole(axes, panel.whole, looks)
    ends = {method: 100 * levels[max(levels)].mean for method, levels in panel.methods.items()}
    label_ends(axes, ends | _ends(panel), looks, markers=True)


def cost(axes: Axes, panel: Panel[Priced], looks: Mapping[str, Look]) -> None:
    """Accuracy against the seconds for each distilled image; the Pareto front as steps."""
    from matplotlib.ticker import LogLocator

    points = {method: (max(p.seconds, SHORTEST), 100 * p.accuracy) for method, p in panel.methods.items()}
    axes.set_xscale("log")
    _frame(axes, [p.accuracy for p in panel.methods.values()], blank=0.14)
    seconds = [s for s, _ in points.values()]
    axes.set_xlim(min(seconds) / 2.2, max(seconds) * 4)
    best = sorted(points[method] for method, p in panel.methods.items() if p.front)
    edge = [*best, (axes.get_xlim()[1], best[-1][1])]
    axes.step(*zip(*edge, strict=True), where="post", color=LIGHT["muted"], linewidth=1, linestyle=(0, (3, 2)))
    for method, (x, y) in points.items():
        look = looks[method]
        fill = look.colour if panel.methods[method].front else "none"
        axes.plot(x, y, look.marker, color=look.colour, markerfacecolor=fill, markersize=6, gid=look.gid, zorder=4)
    axes.set_xlabel("seconds for each distilled image")
    far = max(seconds) > 100 * min(seconds)
    axes.xaxis.set_major_locator(LogLocator(subs=(1,) if far else (1, 2, 5)))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.minorticks_off()
    lines = [(one, (other[0], one[1])) for one, other in pairwise(edge)]
    lines += [((other[0], one[1]), other) for one, other in pairwise(edge)]
    label_points(axes, points, looks, lines)


def right_of(panel: Panel[Any]) -> float:
    """Inches for the labels of a panel of curves or IPC."""
    return room([*panel.methods, *panel.whole])


def _percent(fractions: Any) -> list[float]:
    return [100 * value for value in fractions]


def _frame(axes: Axes, heights: list[float], blank: float = BLANK) -> None:
    """The y axis around ``heights`` (fractions), in percent, not beyond what an accuracy can be."""
    low, high = 100 * min(heights), 100 * max(heights)
    margin = max((high - low) * blank, 0.5)
    axes.set_ylim(max(low - margin, -1), min(high + margin, 101))
    axes.set_ylabel("top-1 accuracy (%)")


def _whole(axes: Axes, whole: Mapping[str, float], looks: Mapping[str, Look]) -> None:
    """A line across the panel at the accuracy of the whole train split."""
    for method, level in whole.items():
        axes.axhline(100 * level, color=looks[method].colour, linewidth=1, linestyle=(0, (1, 2)), gid=looks[method].gid)


def _ends(panel: Panel[Any]) -> dict[str, float]:
    return {method: 100 * level for method, level in panel.whole.items()}
