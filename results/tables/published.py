"""Published numbers: a paper's own table, and every value beside what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ddbench.results.published import EVIDENCE, OTHER, PAPERS, SPLIT, Published, of_place, verdict
from ddbench.results.statistics import Estimate, Position, Sample
from ddbench.results.tables.block import STUB, WHOLE, epoch, ipc_text, marks_of
from ddbench.results.tables.captions import LABELS, Facts
from ddbench.results.tables.model import Column, Item, Table, items
from ddbench.results.tables.text import DASH, as_text, points

DAGGER = " †"
"""stands behind a value that a third party told"""


def paper_tables(values: Sequence[Published]) -> list[Table]:
    """The values of a paper in the main layout, a table for each protocol."""
    groups: dict[tuple[str, str, bool, str], list[Published]] = {}
    for value in values:
        groups.setdefault((value.paper, value.protocol, value.inferred, value.labels), []).append(value)
    return [_paper_table(*group, found) for group, found in groups.items()]


def _paper_table(paper: str, protocol: str, inferred: bool, labels: str, values: Sequence[Published]) -> Table:
    methods = tuple(dict.fromkeys(value.method for value in values if value.ipc != WHOLE))
    methods += tuple(dict.fromkeys(value.method for value in values if value.ipc == WHOLE))
    found = {(value.dataset, value.arch, value.ipc, value.method): value for value in values}
    first = {name: i for i, name in enumerate(dict.fromkeys((value.dataset, value.arch) for value in values))}
    places = sorted({key[:3] for key in found if key[2] != WHOLE}, key=lambda p: (first[p[:2]], p[2]))
    body = []
    for place in places:
        row = {m: value for m in methods if (value := found.get((*place, m)) or found.get((*place[:2], WHOLE, m)))}
        marks = marks_of({m: round(100 * value.top1, 1) for m, value in row.items() if value.ipc != WHOLE})
        numbers = (Item(_with_dagger(row[m]), marks.get(m, "")) if m in row else Item(DASH) for m in methods)
        body.append((*items(place[0], place[1], ipc_text(place[2])), *numbers))
    third = any(value.evidence == "secondary" for value in values)
    grades = (EVIDENCE[e] for e in EVIDENCE if e != "secondary" and any(v.evidence == e for v in values))
    told = "; ".join([*grades, *([f"† {EVIDENCE['secondary']}"] if third else [])])
    caption = (
        f"Published top-1 accuracy (%), none of it measured here. {PAPERS[paper]}: {told}. Protocol {protocol}"
        f"{', not stated in the paper but inferred' if inferred else ''}, {labels} labels; the best epoch by the "
        f"judged images. Split {SPLIT}."
    )
    columns = (*STUB, *(Column(method) for method in methods))
    return Table(columns, tuple(body), caption, lambda: [_data(value) for value in values], stub=2)


def beside_tables(samples: Mapping[Position, Sample], published: Sequence[Published], facts: Facts) -> list[Table]:
    """Every published value of a dataset that ``samples`` have, beside what was measured at its place.

    Where papers disagree, each value has a row. What was measured and no paper has follows, with a dash.
    """
    if not samples:
        return []
    datasets = dict.fromkeys(position.dataset for position in samples)
    body: list[tuple[Item, ...]] = []
    data: list[dict[str, Any]] = []

    def add(value: Published | None, position: Position | None, measured: Estimate | None) -> None:
        said = verdict(value, position, measured) if value and position else "not run" if value else "not published"
        body.append(_beside(value, position, measured, said))
        data.append(_beside_data(value, position, measured, said))

    for dataset in datasets:
        here = [position for position in samples if position.dataset == dataset]
        values = sorted(
            (value for value in published if value.dataset == dataset), key=lambda v: (v.ipc, v.arch, v.method)
        )
        for value in values:
            places = [position for position in here if value in of_place(position, [value])]
            exact = [p for p in places if verdict(value, p, samples[p].estimate) not in OTHER]
            if not places:
                add(value, None, None)
            for position in exact or places:
                add(value, position, samples[position].estimate)
        for position in here:
            if not of_place(position, published):
                add(None, position, samples[position].estimate)
    select = next(iter(samples.values())).select
    kinds = {protocol: facts.labels.get(protocol, "") for protocol in dict.fromkeys(p.protocol for p in samples)}
    protocols = ", ".join(f"{p} ({LABELS[k]})" if k in LABELS else p for p, k in kinds.items())
    caption = (
        "Published and measured top-1 accuracy (%). Published: the best epoch by the judged images, ± as each paper "
        f"has it, split {SPLIT}, protocol in brackets (? inferred), † from a third party. Measured: {epoch(select)}, "
        f"mean ± sample standard deviation over distilled sets; protocols {protocols}. Reproduced: the published value "
        "lies in the 95 % t interval of the measured mean, under the same protocol and split."
    )
    columns = (
        *STUB,
        Column("method", "l", "Method"),
        Column("published"),
        Column("measured"),
        Column("difference"),
        Column("verdict", "l"),
        Column("source", "l"),
    )
    return [Table(columns, tuple(body), caption, lambda: data, stub=3)]


def _beside(
    value: Published | None, position: Position | None, measured: Estimate | None, said: str
) -> tuple[Item, ...]:
    place = value or position
    assert place
    difference = None
    if value and measured and measured.mean is not None and said in ("reproduced", "outside the interval"):
        difference = measured.mean - value.top1
    return items(
        place.dataset,
        place.arch,
        ipc_text(place.ipc),
        place.method,
        f"{_with_dagger(value)} ({value.protocol}{'?' if value.inferred else ''})" if value else DASH,
        as_text(measured) if measured and measured.mean is not None else DASH,
        points(difference),
        f"{said} ({position.protocol}, {position.split})" if said.startswith("other") and position else said,
        value.source if value else DASH,
    )


def _beside_data(
    value: Published | None, position: Position | None, measured: Estimate | None, said: str
) -> dict[str, Any]:
    place = value or position
    assert place
    return {
        "dataset": place.dataset,
        "arch": place.arch,
        "ipc": place.ipc,
        "method": place.method,
        **{f"published_{name}": getattr(value, name, None) for name in ("top1", "std", "protocol", "paper", "source")},
        "evidence": value.evidence if value else None,
        "split": position.split if position else None,
        "protocol": position.protocol if position else None,
        "top1_mean": measured.mean if measured else None,
        "top1_sd": measured.sd if measured else None,
        "verdict": said,
    }


def _data(value: Published) -> dict[str, Any]:
    return {**vars(value), "evidence_means": EVIDENCE[value.evidence]}


def _with_dagger(value: Published) -> str:
    return value.text + (DAGGER if value.evidence == "secondary" else "")
