"""A comparison of two sides as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from ddbench.results.comparison import Matched
from ddbench.results.statistics import Sample
from ddbench.results.statistics.paired import Verdict
from ddbench.results.tables.block import compared, ipc_text
from ddbench.results.tables.captions import LARGER_P, ONE_SET, CaptionFacts, different_hardware, epoch, interval_words
from ddbench.results.tables.model import Column, Item, Table, items
from ddbench.results.tables.text import DASH, as_text, points, points_interval, probability

SHOWN = {"dataset": "dataset", "arch": "arch", "ipc": "IPC", "method": "method"}
"""coordinate -> title of its column"""


def comparison_table(
    found: Sequence[Matched],
    a: str,
    b: str,
    facts: CaptionFacts,
    hardware: tuple[Sequence[str], Sequence[str]] = ((), ()),
) -> Table:
    """``a`` and ``b`` name the sides; ``hardware``: what either ran on.

    One table of all splits and protocols: a row compares within one of each.
    """
    shown = [field for field in SHOWN if field in found[0].place]
    constant = {f: {match.place[f] for match in found} for f in ("split", "protocol") if f in found[0].place}
    extra = [field for field, values in constant.items() if len(values) > 1]
    counts = {verdict: sum(match.verdict == verdict for match in found) for verdict in get_args(Verdict)}
    select = next(s.select for match in found for s in (match.a, match.b) if s)
    comparisons = [match.comparison for match in found if match.comparison]
    tested = [one for one in comparisons if one.p is not None]
    where = " ".join(
        facts.place(split, protocol)
        for split in sorted(constant.get("split", ()))
        for protocol in sorted(constant.get("protocol", ()))
        if any((m.place["split"], m.place["protocol"]) == (split, protocol) for m in found)
    )
    caption = (
        f"A: {a}. B: {b}. Top-1 accuracy (%) {epoch(select)}, mean ± sample standard deviation over distilled sets. "
        f"Difference: B minus A in percentage points. p: {LARGER_P} ({sum(one.paired for one in tested)} of "
        f"{len(tested)} tested rows paired by seeds), corrected for all tested rows (Holm). {interval_words(tested)}. "
        f"B is better in {counts['better']}, worse in {counts['worse']}, not shown to differ in {counts['not shown']} "
        f"and not tested in {counts['not tested: one set']} of {len(comparisons)} rows; what is not shown to differ is "
        f"not shown to be equal either.{f' {ONE_SET}' if counts['not tested: one set'] else ''}"
        f"{f' {where}' if where else ''}{different_hardware(*hardware)}"
    )
    columns = (
        *(Column(SHOWN.get(f, f), "r" if f == "ipc" else "l") for f in (*extra, *shown)),
        Column("A"),
        Column("B"),
        Column("difference"),
        Column("interval"),
        Column("p"),
        Column("B is", "l"),
    )
    body = tuple(_row(match, (*extra, *shown)) for match in found)
    stub = len(extra) + min(2, len(shown))
    return Table(columns, body, caption, lambda: [_data(match) for match in found], stub)


def _row(match: Matched, fields: Sequence[str]) -> tuple[Item, ...]:
    place = (ipc_text(match.place[f]) if f == "ipc" else str(match.place[f]) for f in fields)
    sides = (as_text(side.estimate if side else None) for side in (match.a, match.b))
    one = match.comparison
    if one is None:
        return items(*place, *sides, DASH, DASH, DASH, match.verdict)
    numbers = (points(one.difference), points_interval(one.interval), probability(one.adjusted))
    return items(*place, *sides, *numbers, match.verdict)


def _data(match: Matched) -> dict[str, Any]:
    one = match.comparison
    return {
        **match.place,
        **_side("a", match.a),
        **_side("b", match.b),
        "difference": one.difference if one else None,
        "paired": one.paired if one else None,
        **compared(one),
        "verdict": match.verdict,
        "regressed": match.regressed,
    }


def _side(name: str, sample: Sample | None) -> dict[str, Any]:
    value = sample.estimate if sample else None
    numbers = {"top1_mean": value.mean if value else None, "top1_sd": value.sd if value else None}
    return {f"{name}_{k}": v for k, v in {**numbers, "distilled_sets": value.sets if value else None}.items()}
