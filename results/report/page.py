"""Writing a report: one HTML file that loads nothing from elsewhere.

Names come from anybody and may hold markup: the template escapes everything but the figures, whose text was escaped
when they were written. The page forbids itself, by a content security policy, to load anything or to run any script
but its own.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from ddbench.results.plots.canvas import drawing, inline_svg
from ddbench.results.plots.figures import Drawing, drawings, looks_of, projections
from ddbench.results.plots.palette import DARK, LIGHT, MARKERS, Look
from ddbench.results.report.content import Content, Gallery
from ddbench.results.report.pictures import data_uri, picture_table
from ddbench.results.report.provenance import commit, data, origin
from ddbench.results.report.shift import shift_part
from ddbench.results.report.tables import ReportPosition, duration, ipc_text, label_parts, main_tables, report_positions
from ddbench.results.tables.html import with_code
from ddbench.results.tables.text import percent, points
from ddbench.wording import counted

MARKS = dict(zip(MARKERS, "●■▲◆▼✚✖◀▶⬟⬢★", strict=True))
"""a marker as a character, for lists of methods"""


@dataclass(frozen=True)
class Chart:
    """A figure on the page: trusted SVG, and the methods that it shows."""

    svg: str
    methods: tuple[str, ...]
    left_out: tuple[str, ...] = ()


def render(content: Content) -> str:
    """The report of ``content``: the same content gives the same text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    looks = looks_of(content.wanted)
    found = report_positions(content)
    script, style = _own("script.js"), _own("style.css")
    environment = Environment(
        loader=PackageLoader("ddbench.results.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    environment.filters |= {"percent": percent, "points": points, "duration": duration, "ipc": ipc_text}
    environment.filters["code"] = lambda text: Markup(with_code(text))
    with drawing():
        charts = {kind: _charts(kind, content, looks) for kind in ("curves", "ipc", "cost")}
        planes = [_plane(gallery, looks, i) for i, gallery in enumerate(content.galleries)]
    return environment.get_template("report.html.j2").render(
        title=", ".join(dict.fromkeys(run.name for run in content.runs)) or "study",
        runs=content.runs,
        summary=_summary(content, found),
        tables=main_tables(content, found),
        labels=label_parts(content),
        names={method: content.facts.name(method) for method in looks},
        entries=found,
        incomplete=[entry for entry in found if entry.estimate.mean is None],
        reasons={entry.anchor: _reasons(entry) for entry in found},
        origins=[origin(entry) for entry in found],
        charts=charts,
        planes=[plane for plane in planes if plane],
        grids=[picture_table(gallery) for gallery in content.galleries],
        shift=[shift_part(block) for block in content.shift],
        searches=[(search, data_uri(search.picture)) for search in content.searches],
        notes=content.notes,
        select=content.select,
        looks=looks,
        symbols=MARKS,
        light=LIGHT,
        dark=DARK,
        style=style,
        script=script,
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        data=data(found),
    )


def _own(name: str) -> str:
    return (resources.files("ddbench.results.report") / name).read_text(encoding="utf-8")


def _charts(kind: str, content: Content, looks: Mapping[str, Look]) -> list[Chart]:
    says = {
        "curves": "Mean top-1 accuracy by epoch",
        "ipc": "Top-1 accuracy against images per class",
        "cost": "Top-1 accuracy against the seconds for each distilled image",
    }
    parts = drawings(kind, content.wanted, content.records, content.select, looks, content.sets)
    return [_chart(part, f"{kind}-{i}", says[kind]) for i, part in enumerate(parts)]


def _chart(part: Drawing, name: str, says: str) -> Chart:
    description = f"{says}, for {', '.join(part.methods)}. The numbers are in the tables of this report."
    return Chart(inline_svg(part.alone(), name, f"{says}: {part.title}", description), part.methods, part.left_out)


def _plane(gallery: Gallery, looks: Mapping[str, Look], index: int) -> dict[str, Any] | None:
    """The projections of a gallery and what they say of themselves; None without real images."""
    if gallery.among is None or gallery.among.plane is None:
        return None
    projected = gallery.among.plane
    says = f"Distilled images among real ones, {gallery.dataset}, IPC {gallery.ipc}"
    parts = [_chart(part, f"plane-{index}-{i}", says) for i, part in enumerate(projections(projected, looks))]
    return {
        "title": f"{gallery.dataset}, IPC {gallery.ipc}",
        "charts": parts,
        "space": gallery.among.space,
        "explained": percent(projected.explained, 0),
        "fitted": projected.fitted,
        "seed": gallery.seed,
    }


def _summary(content: Content, found: Sequence[ReportPosition]) -> list[tuple[str, str]]:
    """What was studied and how far it got, as (term, text)."""
    cells = list(content.wanted)
    good = sum(entry.estimate.ok for entry in found)
    failed = sum(record is not None and record.outcome != "ok" for entry in found for _, record in entry.members)
    missing = len(cells) - good - failed
    distilled = [cell for cell in cells if cell.ipc]
    commits = Counter(commit(record) for record in content.records)
    processors = Counter((record.run.get("provenance") or {}).get("processor", "") for record in content.records)
    started = sorted(str(record.run["started"])[:10] for record in content.records if record.run.get("started"))

    def listed(values: Any) -> str:
        return ", ".join(str(value) for value in dict.fromkeys(values))

    rows = [
        ("Cells", f"{good} of {len(cells)} judged, {failed} failed, {missing} not run"),
        ("Datasets", listed(cell.dataset for cell in cells)),
        ("Splits", listed(cell.split for cell in cells)),
        ("Protocols", listed(cell.protocol for cell in cells)),
        ("Networks", listed(cell.arch for cell in cells)),
        ("Images per class", listed(sorted({cell.ipc for cell in distilled}))),
        (
            "Seeds",
            f"{counted(len({c.seed for c in distilled}), 'distilled set')} × "
            f"{counted(len({c.eval_seed for c in cells}), 'classifier')}",
        ),
        ("Code", listed(commits)),
        ("Processors", listed(name for name in processors if name)),
        ("Run on", listed([started[0], started[-1]]).replace(", ", " to ") if started else ""),
    ]
    return [(term, text) for term, text in rows if text]


def _reasons(entry: ReportPosition) -> list[tuple[str, int]]:
    """Why cells of a position are not there, with how many each."""
    counted = Counter(
        f"{record.outcome.replace('_', ' ')}: {record.reason}" if record else "not run"
        for _, record in entry.members
        if record is None or record.outcome != "ok"
    )
    return list(counted.items())
