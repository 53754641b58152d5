"""The numbers behind a table of worth, for data formats."""

from __future__ import annotations

import math
from typing import Any

from ddbench.results.statistics import Sample
from ddbench.results.statistics.paired import Comparison
from ddbench.results.statistics.worth import Worth
from ddbench.results.tables.worth_rows import OWN, WorthRow


def bare(found: Worth, samples: float) -> str:
    """``2.4``, ``> 100`` or ``< 0.1``: multiples of the set's own size, to two digits."""
    if samples == 0:
        return f"< {found.least / found.ipc:.2g}"
    return f"> {found.most / found.ipc:.4g}" if math.isinf(samples) else f"{float(f'{samples / found.ipc:.2g}'):g}"


def numbers(one: WorthRow) -> dict[str, Any]:
    """A flat object of a row: multiples of the set's own size, and fractions of top-1.

    A multiple is None where its ``_side`` is not ``within``, except 1 ``by definition``: ``below`` the least size
    measured, ``above`` the largest, or ``unknown``.
    """
    own, lost = one.row.estimate, one.lost
    largest = one.model[max(one.model)].estimate if one.model else None
    return {
        **vars(one.position),
        "top1_mean": own.mean,
        "top1_sd": own.sd,
        "distilled_sets": own.sets,
        "classifiers": own.classifiers,
        "model": one.behind.model,
        **_worth("model", one.of_model, one.is_own(one.behind.model)),
        "prior": one.behind.prior,
        **_worth("prior", one.of_prior, one.is_own(one.behind.prior)),
        "largest_plain_ipc": max(one.model) if one.model else None,
        "largest_plain_sets": largest.sets if largest else None,
        "largest_plain_classifiers": largest.classifiers if largest else None,
        "whole_classifiers": _classifiers(one.whole),
        **_shift("training", lost.training),
        **_shift("sampling", lost.sampling),
    }


def _classifiers(whole: Sample | None) -> int | None:
    return whole.estimate.classifiers if whole else None


def _worth(name: str, found: Worth | None, own: bool) -> dict[str, Any]:
    interval = found.interval if found else None
    ends = {"": found.samples if found else None, "_low": interval and interval[0], "_high": interval and interval[1]}
    told: dict[str, Any] = {}
    for end, samples in ends.items():
        side = OWN if own else _side(samples)
        multiple = samples / found.ipc if found and samples and side == "within" else None
        told[f"worth_of_{name}{end}"] = 1.0 if own and not end else multiple
        told[f"worth_of_{name}{end}_side"] = side
    return told


def _side(samples: float | None) -> str:
    if samples is None:
        return "unknown"
    return "below" if samples == 0 else "above" if math.isinf(samples) else "within"


def _shift(name: str, one: Comparison | None) -> dict[str, Any]:
    interval = one.interval if one else None
    return {
        f"{name}_shift": one.difference if one else None,
        f"{name}_shift_low": interval.low if interval else None,
        f"{name}_shift_high": interval.high if interval else None,
    }
