"""Figures of a study, as files or in a notebook."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ddbench.api.choices import PLOTTED, Plotted
from ddbench.api.files import check_format, write_file
from ddbench.api.sets import facts_of_sets
from ddbench.api.stores import Stores
from ddbench.errors import BenchError, unknown
from ddbench.results.plots.canvas import drawing, rendered
from ddbench.results.plots.figures import WIDTHS, Drawing, Width, drawings, font_of, looks_of, projections, together
from ddbench.results.plots.notes import note_of, plane_note
from ddbench.results.statistics import Select
from ddbench.types import Cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Plot:
    """A figure, which a notebook shows as a picture and ``save`` writes to a file."""

    figure: Figure
    font: float
    """points of its text"""

    def save(self, out: Path | str) -> Path:
        """Write a png, pdf or svg file, by its suffix. Raises BenchError."""
        path = check_format(Path(out))
        with drawing(self.font):
            write_file(path, rendered(self.figure, path.suffix))
        return path

    def _repr_png_(self) -> bytes:
        out = io.BytesIO()
        self.figure.savefig(out, format="png", dpi=110)
        return out.getvalue()


def make_plot(
    kind: Plotted,
    stores: Stores,
    cells: Mapping[Cell, str],
    which: Select = "last",
    width: Width = "natural",
    tsne: bool = False,
) -> Plot:
    """Accuracy by epoch (curves), against images per class (ipc) or cost, or distilled among real images (projection).

    A panel for each dataset, network and IPC. ``width``: natural, or that of a column or a page of a paper. ``tsne``:
    the projection is t-SNE's instead of the first two principal components. Incomplete methods are left out and
    reported through ``say``. Raises BenchError when nothing is complete.
    """
    if kind not in PLOTTED:
        raise unknown("plot", kind, PLOTTED)
    if width not in WIDTHS:
        raise unknown("width", width, WIDTHS)
    if tsne and kind != "projection":
        raise BenchError(f"t-SNE is a projection: `bench plot projection --tsne`, not {kind}.")
    with drawing(font_of(width)):
        parts, note = _parts(kind, stores, cells, which, tsne)
        if not parts:
            raise BenchError(f"there is nothing complete to plot as {kind}. `bench table` shows what is there.")
        for part in parts:
            if part.left_out:
                stores.say(f"{part.title}: left out, because incomplete: {', '.join(part.left_out)}")
        columns = 4 if kind == "projection" else 2
        return Plot(together(parts, columns, note, width), font_of(width))


def _parts(
    kind: Plotted, stores: Stores, cells: Mapping[Cell, str], which: Select, tsne: bool
) -> tuple[Sequence[Drawing], str]:
    """The panels of a figure, and its note."""
    looks = looks_of(stores.wanted)  # of all cells, so that colours do not depend on the selection
    records = stores.records(stores.wanted)
    if kind != "projection":
        facts = facts_of_sets(stores, records) if kind == "cost" else {}
        return drawings(kind, cells, records, which, looks, facts), note_of(kind, cells, which)
    from ddbench.api.galleries import galleries

    parts: list[Drawing] = []
    notes: dict[str, None] = {}
    shown = galleries(stores, cells, records, tsne)
    for gallery in shown:
        if gallery.among is not None and (plane := gallery.among.plane) is not None:
            where = f", {gallery.dataset}, IPC {gallery.ipc}" if len(shown) > 1 else ""
            parts += projections(plane, looks, where)
            notes[plane_note(plane, gallery.among.space, gallery.seed)] = None
    return parts, " ".join(notes)
