"""Colours, markers and dashes: a method looks the same in every figure of a report.

Figures are drawn in the colours of ``LIGHT``; in a page each of them becomes a CSS variable of that name, which
the theme of the reader sets. The eight hues follow Okabe and Ito ("Color Universal Design", 2008), darkened for paper
and lightened for a dark ground so that each has a contrast of 3 : 1 or more (WCAG 2.1, 1.4.11). Beyond eight methods
hues repeat with another dash; markers are all different up to twelve.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

LIGHT = {
    "page": "#fdfdfc",
    "raised": "#f4f5f5",
    "ink": "#1a1e22",
    "muted": "#59626b",
    "rule": "#d9dde0",
    "link": "#0a5699",
    "mark": "#fff3cf",
    "c0": "#0072b2",
    "c1": "#c44e0b",
    "c2": "#00805f",
    "c3": "#b0508f",
    "c4": "#2c8fc9",
    "c5": "#a87600",
    "c6": "#626b74",
    "c7": "#7a3b1d",
}
"""name of a role -> colour on paper"""

DARK = {
    "page": "#14171a",
    "raised": "#1c2024",
    "ink": "#e7eaec",
    "muted": "#9ea8b1",
    "rule": "#30363c",
    "link": "#83bdf2",
    "mark": "#3d3413",
    "c0": "#4fa3e3",
    "c1": "#f2854a",
    "c2": "#37c399",
    "c3": "#e191c4",
    "c4": "#9bd8fa",
    "c5": "#e6b93f",
    "c6": "#a7b0b8",
    "c7": "#c98d6b",
}
"""the same roles on a dark ground"""

HUES = 8
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")
DASHES: tuple[Any, ...] = ("-", (0, (4, 1.6)), (0, (1.2, 1.4)))


@dataclass(frozen=True)
class Look:
    """How a method is drawn. ``role`` names its colour in ``LIGHT`` and ``DARK``."""

    index: int
    role: str
    marker: str
    dash: Any

    @property
    def colour(self) -> str:
        return LIGHT[self.role]

    @property
    def gid(self) -> str:
        """The group of everything that is drawn for the method."""
        return f"m{self.index}"


def looks(methods: Iterable[str], whole: Iterable[str] = ()) -> dict[str, Look]:
    """A look for each method, by its place among them; those that are the ``whole`` train split take no hue."""
    names, apart = list(dict.fromkeys(methods)), set(whole)
    coloured = [name for name in names if name not in apart]
    found = {}
    for index, name in enumerate(names):
        if name in apart:
            found[name] = Look(index, "ink", "_", (0, (1, 2)))
        else:
            i = coloured.index(name)
            found[name] = Look(index, f"c{i % HUES}", MARKERS[i % len(MARKERS)], DASHES[i // HUES % len(DASHES)])
    return found
