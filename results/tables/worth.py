"""What distilled sets are worth in plain samples of their generative models, and where they lose against all images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ddbench.results.statistics import WHOLE, Position, Sample
from ddbench.results.statistics.paired import Comparison
from ddbench.results.statistics.worth import Worth
from ddbench.results.tables.block import STUB
from ddbench.results.tables.captions import CaptionFacts
from ddbench.results.tables.model import Column, Table, items
from ddbench.results.tables.text import DASH, as_text, points, points_interval
from ddbench.results.tables.worth_caption import worth_caption
from ddbench.results.tables.worth_numbers import bare, numbers
from ddbench.results.tables.worth_rows import OWN, Behind, WorthRow

COLUMNS = (
    *STUB,
    Column("method", "l", "Method"),
    Column("top-1"),
    Column("worth of its model"),
    Column("worth of the prior", with_previous=True),
    Column("training shift"),
    Column("sampling shift", with_previous=True),
)


def worth_tables(
    samples: Mapping[Position, Sample],
    behind: Mapping[str, Behind],
    rows: Sequence[tuple[str, int]],
    factors: Sequence[int],
    facts: CaptionFacts,
) -> list[Table]:
    """A table for each split and protocol. ``rows``: (method, ipc) of the sets to be counted in samples; ``behind``:
    of their methods; ``factors``: the sizes of plain sets, as multiples of the ipc of the row that they are for."""
    groups: dict[tuple[str, str], list[WorthRow]] = {}
    for p, row in samples.items():
        if (p.method, p.ipc) in rows:
            sizes, drawn = {p.ipc * factor for factor in factors}, behind[p.method]
            model, prior = (_curve(samples, p, name, sizes) for name in (drawn.model, drawn.prior))
            whole = next((s for q, s in samples.items() if q.ipc == WHOLE and _place(q) == _place(p)), None)
            groups.setdefault((p.split, p.protocol), []).append(WorthRow(p, drawn, row, model, prior, whole))
    return [_table(place, found, facts) for place, found in groups.items()]


def _table(place: tuple[str, str], found: Sequence[WorthRow], facts: CaptionFacts) -> Table:
    found = sorted(found, key=lambda one: (one.position.dataset, one.position.arch, one.position.ipc))
    body = [
        items(
            one.position.dataset,
            facts.arch(one.position.arch, *place),
            str(one.position.ipc),
            facts.name(one.position.method),
            as_text(one.row.estimate),
            _worth_text(one.of_model, one.is_own(one.behind.model)),
            _worth_text(one.of_prior, one.is_own(one.behind.prior)),
            *(_shift_text(part) for part in (one.lost.training, one.lost.sampling)),
        )
        for one in found
    ]
    return Table(COLUMNS, tuple(body), worth_caption(found, facts), lambda: [numbers(one) for one in found], stub=3)


def _place(position: Position) -> tuple[str, str, str, str]:
    return position.dataset, position.split, position.protocol, position.arch


def _curve(samples: Mapping[Position, Sample], at: Position, method: str, sizes: set[int]) -> dict[int, Sample]:
    """The plain sets of ``method`` where ``at`` stands, of ``sizes`` images a class, by their size."""
    return {p.ipc: s for p, s in samples.items() if p.method == method and p.ipc in sizes and _place(p) == _place(at)}


def _worth_text(found: Worth | None, own: bool) -> str:
    """``3 x (1.5 to 7.3)``; without an interval where there is none."""
    if own:
        return f"1 x ({OWN})"
    if found is None:
        return DASH
    point = f"{bare(found, found.samples)} x"
    if found.interval is None:
        return point
    low, high = (bare(found, end) for end in found.interval)
    return f"{point} ({low})" if low == high else f"{point} ({low} to {high})"


def _shift_text(one: Comparison | None) -> str:
    if one is None:
        return DASH
    return points(one.difference) + (f" ({points_interval(one.interval)})" if one.interval else "")
