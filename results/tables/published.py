"""Published numbers: a paper's own table, and every value beside what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ddbench.results.published import EPOCH, EVIDENCE, OTHER, PAPERS, SPLIT, Beside, Published, beside, of_place
from ddbench.results.statistics import WHOLE, Position, Sample
from ddbench.results.statistics.equivalence import MARGIN
from ddbench.results.tables.block import STUB, ipc_text, marks_of
from ddbench.results.tables.captions import LABELS, CaptionFacts, epoch
from ddbench.results.tables.model import Column, Item, Table, items
from ddbench.results.tables.text import DASH, as_text, points, points_interval

DAGGER = " †"
"""stands behind a value from a third party"""


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


def beside_tables(
    samples: Mapping[Position, Sample],
    published: Sequence[Published],
    facts: CaptionFacts,
    margin: float = MARGIN,
) -> list[Table]:
    """Every published value of a dataset that ``samples`` have, beside what was measured at its place.

    Where papers disagree, each value has a row. What was measured and no paper has follows, with a dash.
    ``margin``: a fraction; how near a measured mean must be shown to be for "reproduced".
    """
    if not samples:
        return []
    lines = [
        line
        for dataset in dict.fromkeys(p.dataset for p in samples)
        for line in _lines(dataset, samples, published, margin)
    ]
    select = next(iter(samples.values())).select
    kinds = {protocol: facts.labels.get(protocol, "") for protocol in dict.fromkeys(p.protocol for p in samples)}
    protocols = ", ".join(f"{p} ({LABELS[k]})" if k in LABELS else p for p, k in kinds.items())
    what = "protocol" if len(kinds) == 1 else "protocols"
    hint = "" if select == EPOCH else f"; --select {EPOCH} shows the papers' kind"
    size = f"{100 * margin:g} points"
    caption = (
        "Published and measured top-1 accuracy (%). Published: the best epoch by the judged images, ± as each paper "
        f"has it, split {SPLIT}, protocol in brackets (? inferred), † from a third party. Measured: {epoch(select)}"
        f"{hint}, mean ± sample standard deviation over distilled sets; {what} {protocols}. Difference: measured "
        "minus published in percentage points, with its 90 % t interval over distilled sets, the published value taken "
        f"as it is. Reproduced: the difference is shown to be within {size} (two one-sided t tests at 5 % each: the "
        f"interval lies within ±{size}). Differs: it is shown to be larger than {size} (t test at 5 %). Not shown: "
        "neither. All under the same protocol, split and kind of epoch; not corrected for the number of rows."
        f"{facts.notes(p.method for p in samples)}"
    )
    columns = (
        *STUB,
        Column("method", "l", "Method"),
        Column("published"),
        Column("measured"),
        Column("difference"),
        Column("90 % interval"),
        Column("verdict", "l"),
        Column("source", "l"),
    )
    body = tuple(_beside_row(*line, facts) for line in lines)
    return [Table(columns, body, caption, lambda: [_beside_data(*line, margin) for line in lines], stub=3)]


Line = tuple[Published | None, Sample | None, Beside]
"""a published value, what was measured at its place, and how they agree"""


def _lines(
    dataset: str, samples: Mapping[Position, Sample], published: Sequence[Published], margin: float
) -> list[Line]:
    """The published values of a dataset in order, each with the measurements of its kind, or else with all others."""
    here = {position: sample for position, sample in samples.items() if position.dataset == dataset}
    lines: list[Line] = []
    for value in sorted((v for v in published if v.dataset == dataset), key=lambda v: (v.ipc, v.arch, v.method)):
        found = [
            (value, sample, beside(value, sample, margin))
            for position, sample in here.items()
            if of_place(position, [value])
        ]
        lines += [line for line in found if line[2].verdict not in OTHER] or found
        if not found:
            lines.append((value, None, beside(value, None)))
    lines += [(None, s, Beside("not published")) for position, s in here.items() if not of_place(position, published)]
    return lines


def _beside_row(value: Published | None, sample: Sample | None, one: Beside, facts: CaptionFacts) -> tuple[Item, ...]:
    place = value or (sample.position if sample else None)
    assert place
    measured = sample.estimate if sample else None
    other = one.verdict in OTHER and sample is not None
    return items(
        place.dataset,
        place.arch,
        ipc_text(place.ipc),
        facts.name(place.method) if sample else place.method,
        f"{_with_dagger(value)} ({value.protocol}{'?' if value.inferred else ''})" if value else DASH,
        as_text(measured) if measured and measured.mean is not None else DASH,
        points(one.difference),
        points_interval(one.equivalence.interval if one.equivalence else None),
        f"{one.verdict} ({_kind(sample)})" if other and sample else one.verdict,
        value.source if value else DASH,
    )


def _kind(sample: Sample) -> str:
    """``minimax-sgd@1, ilsvrc/test, last epoch``"""
    return f"{sample.position.protocol}, {sample.position.split}, {sample.select} epoch"


def _beside_data(value: Published | None, sample: Sample | None, one: Beside, margin: float) -> dict[str, Any]:
    place = value or (sample.position if sample else None)
    assert place
    measured = sample.estimate if sample else None
    tested = one.equivalence
    return {
        "dataset": place.dataset,
        "arch": place.arch,
        "ipc": place.ipc,
        "method": place.method,
        **{f"published_{name}": getattr(value, name, None) for name in ("top1", "std", "protocol", "paper", "source")},
        "evidence": value.evidence if value else None,
        "split": sample.position.split if sample else None,
        "protocol": sample.position.protocol if sample else None,
        "select": sample.select if sample else None,
        "top1_mean": measured.mean if measured else None,
        "top1_sd": measured.sd if measured else None,
        "difference": one.difference,
        "ci90_low": tested.interval.low if tested else None,
        "ci90_high": tested.interval.high if tested else None,
        "margin": margin,
        "p_within": tested.p_within if tested else None,
        "p_beyond": tested.p_beyond if tested else None,
        "verdict": one.verdict,
    }


def _data(value: Published) -> dict[str, Any]:
    return {**vars(value), "evidence_means": EVIDENCE[value.evidence]}


def _with_dagger(value: Published) -> str:
    return value.text + (DAGGER if value.evidence == "secondary" else "")
