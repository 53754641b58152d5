"""Figures of panels with exact geometry, and their bytes: as files, or as SVG that takes its colours from a page.

The same numbers give the same bytes: no dates, and the ids within an SVG are derived from its name.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from ddbench.results.plots.palette import LIGHT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FONT_SIZE = 9.5
"""points; the panels are shown at about their natural size"""
MARGIN = 0.08
"""inches around the note below the panels"""
FORMATS = (".png", ".pdf", ".svg")
DATES = {"png": "Software", "pdf": "CreationDate", "svg": "Date"}
"""the metadata field of each format that holds the date or the version: left out, so that a figure has one file"""


def _settings(size: float) -> dict[str, Any]:
    """Matplotlib's settings for text of ``size`` points."""
    scale = size / FONT_SIZE
    return {
        "axes.edgecolor": LIGHT["muted"],
        "axes.facecolor": "none",
        "axes.grid": True,
        "axes.grid.axis": "y",
        "axes.labelcolor": LIGHT["muted"],
        "axes.labelsize": size,
        "axes.linewidth": 0.8 * scale,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlecolor": LIGHT["ink"],
        "axes.titlelocation": "left",
        "axes.titlesize": size + 0.5,
        "axes.titleweight": "bold",
        "font.family": "DejaVu Sans",
        "font.size": size,
        "grid.color": LIGHT["rule"],
        "grid.linewidth": 0.7 * scale,
        "lines.linewidth": 1.5 * scale,
        "lines.markersize": 4.5 * scale,
        "pdf.fonttype": 42,
        "text.color": LIGHT["ink"],
        "text.parse_math": False,
        "xtick.color": LIGHT["muted"],
        "xtick.labelsize": size - 0.5,
        "xtick.major.size": 3 * scale,
        "ytick.color": LIGHT["muted"],
        "ytick.labelsize": size - 0.5,
        "ytick.major.size": 0,
    }


@dataclass(frozen=True)
class Size:
    """Of one panel with its margins, in inches."""

    width: float = 5.4
    height: float = 3.45
    left: float = 0.58
    right: float = 0.2
    top: float = 0.34
    bottom: float = 0.52


@contextmanager
def drawing(font: float = FONT_SIZE) -> Iterator[None]:
    """Matplotlib's style for drawing and writing figures with text of ``font`` points; the former style is restored at
    the end."""
    import matplotlib

    with matplotlib.rc_context(_settings(font)), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a name in another script, shown as boxes
        yield


def font_size() -> float:
    """Points of the text of the figure that is being drawn."""
    import matplotlib

    return float(matplotlib.rcParams["font.size"])


LETTER = 0.62
"""mean width of a letter, in font sizes"""


def panels(count: int, size: Size, columns: int = 3, title: str = "", note: str = "") -> tuple[Figure, list[Axes]]:
    """A figure of ``count`` panels in rows of at most ``columns``, each exactly of ``size``, and a note below."""
    from textwrap import wrap

    from matplotlib.figure import Figure

    columns = min(columns, count)
    rows = -(-count // columns)
    small = font_size() - 1.5
    lines = wrap(note, int(72 * (columns * size.width - 2 * MARGIN) / (0.54 * small)))
    head, foot = 0.3 if title else 0.0, (len(lines) * 1.35 * small / 72 + MARGIN) if lines else 0.0
    width, height = columns * size.width, rows * size.height + head + foot
    figure = Figure(figsize=(width, height))
    axes = []
    for i in range(count):
        left = (i % columns) * size.width + size.left
        bottom = (rows - 1 - i // columns) * size.height + size.bottom + foot
        inner = size.width - size.left - size.right, size.height - size.top - size.bottom
        axes.append(figure.add_axes((left / width, bottom / height, inner[0] / width, inner[1] / height)))
    if title:
        figure.text(
            size.left / width, 1 - 0.06 / height, title, va="top", fontsize=font_size() + 1, color=LIGHT["muted"]
        )
    if lines:
        beneath: dict[str, Any] = {"va": "bottom", "fontsize": small, "color": LIGHT["muted"], "linespacing": 1.2}
        figure.text(MARGIN / width, MARGIN / height, "\n".join(lines), **beneath)
    return figure, axes


def rendered(figure: Figure, suffix: str) -> bytes:
    """A figure as the content of a file; its suffix (.png, .pdf, .svg) is the format."""
    import matplotlib

    kind, written = suffix.lstrip(".").lower(), io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "figure"}):
        figure.savefig(written, format=kind, dpi=220, facecolor="white", metadata={DATES[kind]: None})
    return written.getvalue()


def inline_svg(figure: Figure, name: str, title: str, description: str) -> str:
    """A figure as an ``<svg>`` element for a page: named colours, real text, ids that no other figure has.

    name: letters, digits and hyphens, unique within the page. title, description: for those who cannot see it.
    What belongs to a method is in groups of the classes ``m`` and ``m<index>``.
    """
    import matplotlib

    written = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    drawn = ElementTree.fromstring(written.getvalue())
    svg = ElementTree.Element("svg", {"viewBox": drawn.attrib["viewBox"], "role": "img"})
    for tag, text in (("title", title), ("desc", description)):
        ElementTree.SubElement(svg, tag, {"id": f"{name}-{tag}"}).text = _printable(text)
    svg.set("aria-labelledby", f"{name}-title {name}-desc")
    for child in drawn:
        if not child.tag.endswith("metadata"):
            _for_page(child, name)
            svg.append(child)
    return ElementTree.tostring(svg, encoding="unicode")


def _for_page(element: ElementTree.Element, name: str) -> None:
    """Prepare ``element`` and its children for a page: no name space, ids prefixed with ``name``, colours by role."""
    element.tag = element.tag.rpartition("}")[2]
    attributes = {key.rpartition("}")[2]: value for key, value in element.attrib.items()}
    own = attributes.pop("id", "")
    if element.tag == "g" and re.fullmatch(r"m\d+", own):
        attributes["class"] = f"m {own}"
    elif element.tag != "g" and own:
        attributes["id"] = f"{name}-{own}"
    for key in ("href", "clip-path"):
        if "#" in attributes.get(key, "")[:5]:
            attributes[key] = attributes[key].replace("#", f"#{name}-", 1)
    for key in ("d", "x", "y", "transform"):
        if key in attributes:
            attributes[key] = " ".join(re.sub(r"(\.\d\d)\d+", r"\1", attributes[key]).split())
    if "style" in attributes:
        attributes["style"] = _by_role(attributes["style"])
    element.attrib.clear()
    element.attrib.update(attributes)
    if not (element.text or "").strip() or element.tag == "style":
        element.text = None
    element.tail = None
    for child in list(element):
        if child.tag.endswith("style"):
            element.remove(child)  # it would hold for the whole page
        else:
            _for_page(child, name)
    _style_once(element)


def _style_once(element: ElementTree.Element) -> None:
    """Move the style that all points of a group share to the group."""
    styles = {child.attrib.get("style") for child in element}
    if element.tag == "g" and len(element) > 1 and len(styles) == 1 and {child.tag for child in element} == {"use"}:
        element.set("style", styles.pop() or "")
        for child in element:
            child.attrib.pop("style", None)


def _by_role(style: str) -> str:
    """Colours of the palette as CSS variables; the font family is the page's."""
    roles = {colour: role for role, colour in LIGHT.items()}
    style = re.sub(
        r"#[0-9a-f]{6}\b", lambda found: f"var(--{roles[found[0]]})" if found[0] in roles else found[0], style
    )
    return re.sub(r"font-family: [^;]*;? ?", "", style)


def _printable(text: str) -> str:
    """The text without characters that XML cannot hold."""
    return "".join(c for c in text if c.isprintable())
