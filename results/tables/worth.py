"""What distilled sets are worth in plain samples of their generative models, and where they lose against all images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ddbench.results.statistics import WHOLE, Position, Sample
from ddbench.results.statistics.paired import Comparison
from ddbench.results.statistics.worth import Worth, shifts, worth
from ddbench.results.tables.block import STUB
from ddbench.results.tables.captions import CaptionFacts, epoch
from ddbench.results.tables.model import Column, Table, items
from ddbench.results.tables.text import DASH, as_text, points, points_interval

COLUMNS = (
    *STUB,
    Column("method", "l", "Method"),
    Column("top-1"),
    Column("worth of its model"),
    Column("95 % interval"),
    Column("worth of the prior"),
    Column("95 % interval"),
    Column("training shift"),
    Column("sampling shift"),
)


@dataclass(frozen=True)
class Behind:
    """Names of the rows that merely draw from the model of a method, and from the prior before fine-tuning."""

    model: str
    prior: str


def worth_tables(
    samples: Mapping[Position, Sample],
    behind: Mapping[str, Behind],
    rows: Sequence[tuple[str, int]],
    facts: CaptionFacts,
) -> list[Table]:
    """A table for each split and protocol. ``rows``: (method, ipc) of the sets to be counted in samples; ``behind``:
    of their methods."""
    groups: dict[tuple[str, str], list[Position]] = {}
    for position in samples:
        if (position.method, position.ipc) in rows:
            groups.setdefault((position.split, position.protocol), []).append(position)
    return [_table(place, found, samples, behind, facts) for place, found in groups.items()]


def _table(
    place: tuple[str, str],
    positions: Sequence[Position],
    samples: Mapping[Position, Sample],
    behind: Mapping[str, Behind],
    facts: CaptionFacts,
) -> Table:
    body, data = [], []
    for position in sorted(positions, key=lambda p: (p.dataset, p.arch, p.ipc)):
        row, drawn = samples[position], behind[position.method]
        model, prior = (_curve(samples, position, name) for name in (drawn.model, drawn.prior))
        whole = next((s for p, s in samples.items() if p.ipc == WHOLE and _place(p) == _place(position)), None)
        of_model, of_prior = worth(row, model), worth(row, prior)
        lost = shifts(row, model, whole)
        body.append(
            items(
                position.dataset,
                facts.arch(position.arch, *place),
                str(position.ipc),
                facts.name(position.method),
                as_text(row.estimate),
                *_worth_texts(of_model),
                *_worth_texts(of_prior),
                *(_shift_text(one) for one in (lost.training, lost.sampling)),
            )
        )
        data.append(
            {
                **vars(position),
                "top1_mean": row.estimate.mean,
                "top1_sd": row.estimate.sd,
                "model": drawn.model,
                **_numbers("model", of_model),
                "prior": drawn.prior,
                **_numbers("prior", of_prior),
                **_shift_numbers("training", lost.training),
                **_shift_numbers("sampling", lost.sampling),
            }
        )
    named = dict.fromkeys(position.method for position in positions)
    pairs = "; ".join(f"{m}: {behind[m].model} and {behind[m].prior}" for m in named)
    caption = (
        f"Top-1 accuracy (%) {epoch(samples[positions[0]].select)}, mean ± sample standard deviation over distilled "
        "sets, and what a set is worth: k x says that k times as many plain samples of a class, without guidance, "
        "train as well, by the accuracy of larger and larger plain sets (made non-decreasing, linear in the logarithm "
        "of the size). > and < are beyond the sizes measured. Its model is the set's own, fine-tuned where the method "
        "does so; the prior is the model before. The interval holds the sizes that a 95 % t test over distilled sets "
        "does not tell from the set. Shifts in percentage points of top-1, with 95 % t intervals: training, of the "
        "whole train split, over its classifiers, minus the largest plain set of its model; sampling, of that plain "
        "set minus this one. "
        f"Plain samples of model and prior: {pairs}. {facts.place(*place)}{facts.notes(named)}"
    )
    return Table(COLUMNS, tuple(body), caption, lambda: data, stub=3)


def _place(position: Position) -> tuple[str, str, str, str]:
    return position.dataset, position.split, position.protocol, position.arch


def _curve(samples: Mapping[Position, Sample], at: Position, method: str) -> dict[int, Sample]:
    """The plain sets of ``method`` where ``at`` stands, by their size."""
    return {p.ipc: s for p, s in samples.items() if p.method == method and p.ipc != WHOLE and _place(p) == _place(at)}


def _worth_texts(found: Worth | None) -> tuple[str, str]:
    if found is None:
        return DASH, DASH
    if found.interval is None:
        return _times(found, found.samples), DASH
    low, high = found.interval
    if low == high:  # a point, or all of it beyond the measured sizes
        return _times(found, found.samples), _times(found, low)
    return _times(found, found.samples), f"{_bare(found, low)} to {_times(found, high)}"


def _times(found: Worth, samples: float) -> str:
    return f"{_bare(found, samples)} x"


def _bare(found: Worth, samples: float) -> str:
    """``2.4``, ``> 100`` or ``< 0.1``: multiples of the set's own size, to two digits."""
    if samples == 0:
        return f"< {found.least / found.ipc:.2g}"
    return f"> {found.most / found.ipc:.4g}" if math.isinf(samples) else f"{float(f'{samples / found.ipc:.2g}'):g}"


def _shift_text(one: Comparison | None) -> str:
    if one is None:
        return DASH
    return points(one.difference) + (f" ({points_interval(one.interval)})" if one.interval else "")


def _numbers(name: str, found: Worth | None) -> dict[str, Any]:
    """Multiples for data formats, None where unknown or beyond the sizes measured; ``_side`` says on which side."""

    def times(samples: float) -> float | None:
        return samples / found.ipc if found and samples and not math.isinf(samples) else None

    low, high = found.interval if found and found.interval else (0.0, 0.0)
    side = "" if found is None else "below" if not found.samples else "above" if math.isinf(found.samples) else "within"
    return {
        f"worth_of_{name}": times(found.samples) if found else None,
        f"worth_of_{name}_side": side,
        f"worth_of_{name}_low": times(low),
        f"worth_of_{name}_high": times(high),
    }


def _shift_numbers(name: str, one: Comparison | None) -> dict[str, Any]:
    interval = one.interval if one else None
    return {
        f"{name}_shift": one.difference if one else None,
        f"{name}_shift_low": interval.low if interval else None,
        f"{name}_shift_high": interval.high if interval else None,
    }
