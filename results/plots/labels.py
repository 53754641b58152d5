"""Names beside lines and points instead of a legend, moved apart where they would overlap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ddbench.results.plots.canvas import LETTER, font_size
from ddbench.results.plots.palette import LIGHT, Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

LINE = 1.18
"""height of a line, in font sizes"""
SAMPLE = 20
"""points that the sample of a line takes before its name"""
NEAREST = 7
"""points from a point to its label"""
REACHES = (NEAREST, 14, 22, 32, 44, 58)
SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 0.8), (1, -0.8), (-1, 0.8), (-1, -0.8))
"""(right, up) of a point, the better first"""


def shown(name: str, longest: int = 22) -> str:
    """A name cut to ``longest`` characters, for the side of a panel."""
    plain = "".join(c if c.isprintable() else " " for c in name)
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"


def room(names: Sequence[str]) -> float:
    """Inches that labels of ``names`` need beside a panel."""
    return 0.24 + SAMPLE / 72 + max((len(shown(name)) for name in names), default=0) * LETTER * font_size() / 72


def spread(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """The places nearest to ``places`` (least squares) that keep their order, ``gap`` apart, within low..high.

    By isotonic regression of each place less the gaps before it. Where they do not fit, the gap shrinks.
    """
    if len(places) < 2:
        return list(places)
    gap = min(gap, (high - low) / (len(places) - 1))
    order = sorted(range(len(places)), key=lambda i: places[i])
    top = high - gap * (len(places) - 1)
    fitted = _isotonic([min(max(places[i] - gap * n, low), top) for n, i in enumerate(order)])
    found = [0.0] * len(places)
    for n, i in enumerate(order):
        found[i] = float(min(max(fitted[n], low), top)) + gap * n
    return found


def _isotonic(values: Sequence[float]) -> list[float]:
    """The non-decreasing values nearest to ``values`` (least squares), by pooling adjacent violators."""
    pools: list[tuple[float, int]] = []  # sum, count
    for value in values:
        total, count = value, 1
        while pools and pools[-1][0] * count >= total * pools[-1][1]:
            before = pools.pop()
            total, count = total + before[0], count + before[1]
        pools.append((total, count))
    return [total / count for total, count in pools for _ in range(count)]


def label_ends(axes: Axes, ends: Mapping[str, float], looks: Mapping[str, Look], markers: bool = False) -> None:
    """Write each name to the right of the panel, near the height at which it ends, with a thin line to there and a
    sample of its own line, with its marker where ``markers``: two methods of nearly one hue are told apart by them."""
    box = axes.get_window_extent()
    wide, tall = (side / axes.figure.dpi * 72 for side in (box.width, box.height))
    low, high = axes.get_ylim()
    size = min(font_size() - 0.5, tall / max(len(ends) - 1, 1) / 1.02)
    heights = spread(list(ends.values()), LINE * size / tall * (high - low), low, high)
    beside = axes.get_yaxis_transform()
    for (name, y), height in zip(ends.items(), heights, strict=True):
        style: dict[str, Any] = {"color": looks[name].colour, "gid": looks[name].gid, "transform": beside}
        axes.plot([1 + 3 / wide, 1 + 11 / wide], [y, height], linewidth=0.6, clip_on=False, **style)
        line: dict[str, Any] = {"linestyle": looks[name].dash, "clip_on": False, **style}
        middle = [1] if markers else []
        sample = [1 + (13 + SAMPLE * part) / wide for part in (0, 0.4, 0.8)]
        axes.plot(sample, [height] * 3, marker=looks[name].marker, markevery=middle, markersize=0.55 * size, **line)
        axes.text(1 + (13 + SAMPLE) / wide, height, shown(name), va="center_baseline", fontsize=size, **style)


def label_points(
    axes: Axes,
    points: Mapping[str, tuple[float, float]],
    looks: Mapping[str, Look],
    lines: Sequence[tuple[tuple[float, float], tuple[float, float]]] = (),
) -> None:
    """Write each name near its point (x, y in data), where no name, point or line is; nearest free place first.

    lines: upright or level ones, each as its two ends.
    """
    from matplotlib.transforms import Bbox

    size = font_size() - 1
    scale = axes.figure.dpi / 72
    frame = axes.get_window_extent()
    pixels = {name: axes.transData.transform(point) for name, point in points.items()}
    taken = [Bbox.from_bounds(x - 4 * scale, y - 4 * scale, 8 * scale, 8 * scale) for x, y in pixels.values()]
    for line in lines:
        corners = axes.transData.transform(line)
        taken.append(Bbox([corners.min(0) - scale, corners.max(0) + scale]))
    for name in sorted(points, key=lambda n: -pixels[n][1]):
        x, y = pixels[name]
        wide, tall = len(shown(name)) * LETTER * size * scale, LINE * size * scale
        box, reach = _free_place((x, y), (wide, tall), scale, frame, taken)
        taken.append(box)
        if reach > NEAREST:
            near = min(max(x, box.x0), box.x1), min(max(y, box.y0), box.y1)
            ends = axes.transData.inverted().transform([(x, y), near])
            axes.plot(*zip(*ends, strict=True), color=LIGHT["muted"], linewidth=0.7, gid=looks[name].gid, zorder=1)
        left, middle = axes.transData.inverted().transform((box.x0, (box.y0 + box.y1) / 2))
        style: dict[str, Any] = {"color": looks[name].colour, "gid": looks[name].gid, "zorder": 5}
        axes.text(left, middle, shown(name), va="center", fontsize=size, **style)


def _free_place(
    point: tuple[float, float], size: tuple[float, float], scale: float, frame: Bbox, taken: Sequence[Bbox]
) -> tuple[Bbox, float]:
    """The nearest box of ``size`` around ``point`` that lies in ``frame`` and overlaps none of ``taken``; its distance.

    All in pixels, the distance in points; where there is none, beside the point.
    """
    from matplotlib.transforms import Bbox

    (x, y), (wide, tall) = point, size
    for reach in REACHES:
        for dx, dy in SIDES:
            left = x + dx * reach * scale - (wide if dx < 0 else wide / 2 if dx == 0 else 0)
            box = Bbox.from_bounds(left, y + dy * (reach + 2) * scale - tall / 2, wide, tall)
            inside = box.x0 >= frame.x0 and box.x1 <= frame.x1 + 12 and frame.y0 <= box.y0 and box.y1 <= frame.y1
            if inside and not any(box.overlaps(other) for other in taken):
                return box, reach
    return Bbox.from_bounds(x + NEAREST * scale, y - tall / 2, wide, tall), NEAREST
