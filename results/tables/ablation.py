"""The ablation table: configurations as rows, their accuracy, and the change against a named one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ddbench.errors import BenchError, unknown
from ddbench.results.statistics import WHOLE, Position, Sample
from ddbench.results.statistics.paired import Comparison, compare, together
from ddbench.results.tables.block import STUB, compared
from ddbench.results.tables.captions import LARGER_P, ONE_SET, CaptionFacts, epoch, interval_words
from ddbench.results.tables.model import Column, Item, Mark, Table, items
from ddbench.results.tables.text import DASH, as_text, points, points_interval, probability

Group = tuple[str, str]
"""(split, protocol)"""


def ablation_tables(samples: Mapping[Position, Sample], facts: CaptionFacts, reference: str | None) -> list[Table]:
    """A table for each split and protocol. ``reference`` is a method; the default is the first that distils.

    Raises BenchError when no sample is of ``reference``, or when nothing was distilled.
    """
    distilled = {position: sample for position, sample in samples.items() if position.ipc != WHOLE}
    methods = dict.fromkeys(position.method for position in distilled)
    if not methods:
        raise BenchError("there is nothing distilled to compare. `bench run` makes some.")
    if reference is None:
        reference = next(iter(methods))
    elif reference not in methods:
        raise unknown("method", reference, methods, where="--reference")
    groups: dict[Group, dict[Position, Sample]] = {}
    for position, sample in distilled.items():
        groups.setdefault((position.split, position.protocol), {})[position] = sample
    return [_table(group, found, facts, reference) for group, found in groups.items()]


def _table(group: Group, samples: Mapping[Position, Sample], facts: CaptionFacts, reference: str) -> Table:
    rows: dict[tuple[str, str, int], dict[str, Sample]] = {}
    for position, sample in samples.items():
        rows.setdefault((position.dataset, position.arch, position.ipc), {})[position.method] = sample
    body, data = [], []
    comparisons: list[Comparison] = []
    for place, row in rows.items():
        changes = _changes(row, reference)
        comparisons += changes.values()
        complete = {m: round(100 * s.estimate.mean, 1) for m, s in row.items() if s.estimate.mean is not None}
        best = max(complete.values(), default=0.0)
        for method, sample in row.items():
            change = changes.get(method)
            mark: Mark = "best" if len(complete) > 1 and complete.get(method) == best else ""
            where = items(place[0], place[1], str(place[2]), facts.name(method))
            body.append((*where, Item(as_text(sample.estimate), mark), *_change_items(change, method == reference)))
            data.append(_data(sample, reference, change))
    select = next(iter(samples.values())).select
    sets = sorted({sample.estimate.sets for sample in samples.values()})
    caption = (
        f"Top-1 accuracy (%) {epoch(select)}: mean ± sample standard deviation over distilled sets "
        f"(n = {' or '.join(map(str, sets))}). Change against {reference} in percentage points. p: {LARGER_P}, "
        f"corrected for the comparisons at one dataset, model and IPC (Holm). {interval_words(comparisons)}."
        f"{f' {ONE_SET}' if any(one.p is None for one in comparisons) else ''} {facts.place(*group)}"
        f"{facts.notes(dict.fromkeys(p.method for p in samples))}"
    )
    columns = (
        *STUB,
        Column("configuration", "l", "Configuration"),
        Column("top-1"),
        Column("change"),
        Column("interval"),
        Column("p"),
    )
    return Table(columns, tuple(body), caption, lambda: data, stub=3)


def _changes(row: Mapping[str, Sample], reference: str) -> dict[str, Comparison]:
    """The comparison of each complete method of a row with the reference, corrected for their number (Holm).

    Empty where the reference is missing or incomplete.
    """
    base = row.get(reference)
    if base is None or base.note:
        return {}
    others = [method for method, sample in row.items() if method != reference and not sample.note]
    return dict(zip(others, together(compare(base, row[method]) for method in others), strict=True))


def _change_items(change: Comparison | None, is_reference: bool) -> tuple[Item, ...]:
    if change is None:
        return items("reference" if is_reference else DASH, DASH, DASH)
    p = "not tested" if change.p is None else probability(change.adjusted)
    return items(points(change.difference), points_interval(change.interval), p)


def _data(sample: Sample, reference: str, change: Comparison | None) -> dict[str, Any]:
    value = sample.estimate
    return {
        **vars(sample.position),
        "select": sample.select,
        "top1_mean": value.mean,
        "top1_sd": value.sd,
        "distilled_sets": value.sets,
        "note": value.note,
        "reference": reference,
        "change": change.difference if change else None,
        **compared(change),
    }
