"""How accuracy depends on searched parameters: a panel for each, every setting a point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddbench.results.interaction import WHERE_SIZE, draw_map, maps
from ddbench.results.plots.canvas import DATES, LETTER
from ddbench.results.sensitivity_curves import Parameter, Setting, curve_of
from ddbench.results.tables.captions import Spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DECADES = 20
"""ratio of the largest to the smallest value above zero from which a list is drawn on a log axis"""
MOST_TICKS = 8
"""values of a list that are all written below the axis"""
MOST_COLUMNS = 3
WIDTH, HEIGHT = 2.9, 2.5
"""of a panel, in inches"""
NOTE_SIZE = 6.5
"""of the note below, in points"""


def draw(
    path: Path,
    title: str,
    parameters: Sequence[Parameter],
    settings: Sequence[Setting],
    note: str = "",
    spread: Spread = "ci",
) -> None:
    """Write the picture to ``path``, with a note below; its suffix (png, pdf, svg) is the format.

    A line joins the settings that differ in a parameter alone (``curve_of``; above it is said at which values of the
    others), with bars of their 95 % t interval (``spread`` ci) or of one standard deviation (sd); settings with other
    values of the others, or stopped early, are points beside it. Where the combinations of two parameters were
    tried, a map of them follows.
    """
    import matplotlib

    matplotlib.use("Agg")
    from textwrap import wrap

    import seaborn
    from matplotlib.figure import Figure

    found = maps([parameter.key for parameter in parameters], settings)
    columns = min(MOST_COLUMNS, max(len(parameters), len(found)))
    rows = -(-len(parameters) // columns) + -(-len(found) // columns)
    with seaborn.axes_style("ticks"), seaborn.plotting_context("paper"):
        width = max(WIDTH * columns, 3.6) + 0.3
        lines = wrap(note, int(72 * (width - 0.2) / (0.5 * NOTE_SIZE)))
        foot = len(lines) * 1.3 * NOTE_SIZE / 72 + 0.1 if lines else 0.0
        height = HEIGHT * rows + 0.9
        whole: Any = Figure(figsize=(width, height + foot), dpi=200, layout="constrained")
        figure: Any
        below: Any
        figure, below = whole.subfigures(2, height_ratios=(height, foot)) if lines else (whole, None)
        axes = figure.subplots(rows, columns, squeeze=False)
        names_of = {parameter.key: parameter.label for parameter in parameters}
        labels: dict[str, Any] = {}
        upper = axes[: rows - -(-len(found) // columns)]
        for place, parameter in zip(upper.flat, parameters, strict=False):
            place.sharey(upper[0][0])
            _panel(place, parameter, settings, spread, names_of)
            handles, names = place.get_legend_handles_labels()
            labels |= dict(zip(names, handles, strict=True))
        for place, one in zip(axes[len(upper) :].flat, found, strict=False):
            draw_map(place, one, names_of)
        for place in [*upper.flat[len(parameters) :], *axes[len(upper) :].flat[len(found) :]]:
            place.set_axis_off()
        for row in upper:
            row[0].set_ylabel("validation top-1 (%)")
        seaborn.despine(whole)
        figure.suptitle(title, fontsize=9)
        figure.legend(labels.values(), labels, loc="outside lower center", ncols=1 + columns, frameon=False, fontsize=8)
        if below:
            beneath: dict[str, Any] = {"va": "top", "fontsize": NOTE_SIZE, "color": "#59626b", "linespacing": 1.2}
            below.text(0.1 / width, 1, "\n".join(lines), **beneath)
        path.parent.mkdir(parents=True, exist_ok=True)
        whole.savefig(path, metadata={DATES[path.suffix.lstrip(".").lower()]: None})


def _panel(
    axes: Axes, parameter: Parameter, settings: Sequence[Setting], spread: Spread, labels: Mapping[str, str]
) -> None:
    from textwrap import fill

    import seaborn

    blue, orange, grey = (seaborn.color_palette("colorblind")[i] for i in (0, 1, 7))
    key = parameter.key
    at = _axis(axes, parameter, [s.values[key] for s in settings])
    judged = [s for s in settings if s.top1 is not None]
    curve = curve_of(settings, key)
    alone = sorted(curve.settings if curve else (), key=lambda s: at(s.values[key]))
    if curve and len(alone) > 1:
        if where := curve.where(labels):
            letters = int(72 * 0.75 * WIDTH / (LETTER * WHERE_SIZE))  # three quarters of a panel are its axes
            axes.set_title(fill(f"curve: {where}", letters), fontsize=WHERE_SIZE, loc="left")
        axes.errorbar(
            [at(s.values[key]) for s in alone],
            [_percent(s.top1) for s in alone],
            yerr=[_percent(s.half if spread == "ci" else s.spread) for s in alone],
            color=blue,
            marker="o",
            markersize=4,
            linewidth=1.2,
            elinewidth=0.8,
            capsize=2,
            label="mean, 95 % t interval over distilled sets" if spread == "ci" else "mean ± sd over distilled sets",
        )
    drawn = alone if len(alone) > 1 else []
    beside = [s for s in judged if s.complete and (len(s.varied) > 1 or key in s.varied) and s not in drawn]
    _points(axes, beside, key, at, color=blue, alpha=0.7, label="with other values of the others")
    early = [s for s in judged if not s.complete and (key in s.varied or not s.varied)]
    _points(axes, early, key, at, facecolors="none", edgecolors=grey, label="stopped early")
    for setting in settings:
        if not setting.varied and setting.values[key] is not None:
            axes.axvline(at(setting.values[key]), color=grey, linestyle="--", linewidth=0.9, label="the study's value")
    best = [s for s in settings if s.chosen and (key in s.varied or not s.varied)]
    _points(axes, best, key, at, color=orange, marker="*", s=90, zorder=5, label="chosen")
    failed = [s.values[key] for s in settings if s.top1 is None and key in s.varied]
    if failed:
        axes.plot(
            [at(value) for value in failed],
            [0.02] * len(failed),
            "x",
            color="black",
            markersize=5,
            transform=axes.get_xaxis_transform(),
            label="failed",
        )
    axes.set_xlabel(parameter.label)
    axes.grid(axis="y", linewidth=0.5, alpha=0.5)


def _points(axes: Axes, settings: Sequence[Setting], key: str, at: Any, **style: Any) -> None:
    if settings:
        style = {"s": 22, "zorder": 3, **style}
        axes.scatter([at(s.values[key]) for s in settings], [_percent(s.top1) for s in settings], **style)


def _axis(axes: Axes, parameter: Parameter, values: Sequence[Any]) -> Any:
    """Scale the x axis for ``values`` and return what maps one to its place on it: numbers stay, names are counted."""
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) < len(values):
        names = list(dict.fromkeys(str(value) for value in values))
        axes.set_xticks(range(len(names)), names)
        axes.margins(x=0.15)
        return lambda value: names.index(str(value))
    above = sorted(v for v in numbers if v > 0)
    if above and min(numbers) >= 0 and (parameter.log or above[-1] >= DECADES * above[0]):
        if min(numbers) > 0:
            axes.set_xscale("log")
        else:  # a log axis with room for zero
            axes.set_xscale("symlog", linthresh=above[0], linscale=0.5)
            axes.set_xlim(-0.25 * above[0], above[-1] * (above[-1] / above[0]) ** 0.08)
    if not parameter.log and len(tried := sorted(set(numbers))) <= MOST_TICKS:
        axes.set_xticks(tried, [f"{value:g}" for value in tried])
        axes.minorticks_off()
    return lambda value: value


def _percent(fraction: float | None) -> float:
    return 100 * (fraction or 0.0)
