"""The caption of a table of worth: what its numbers are, of how many sets, and why some are missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ddbench.results.statistics import Sample
from ddbench.results.tables.captions import CaptionFacts, epoch
from ddbench.results.tables.text import DASH
from ddbench.results.tables.worth_rows import OWN, WorthRow
from ddbench.wording import counted


def worth_caption(found: Sequence[WorthRow], facts: CaptionFacts) -> str:
    """The caption of the rows of one split and protocol."""
    named = {one.position.method: one.behind for one in found}
    first = found[0]
    own = any(one.is_own(name) for one in found for name in (one.behind.model, one.behind.prior))
    parts = [
        f"Top-1 accuracy (%) {epoch(first.row.select)}, mean ± sample standard deviation over distilled sets, and what "
        "a set is worth: k x says that k times as many plain samples of a class, without guidance, train as well, by "
        "the accuracy of larger and larger plain sets (made non-decreasing, linear in the logarithm of the size). > "
        "and < are beyond the sizes measured. Its model is the set's own, fine-tuned where the method does so; the "
        "prior is the model before. In brackets, the sizes that a 95 % t test over distilled sets does not tell from "
        "the set.",
        f"A row that is itself plain samples is worth 1 x of them {OWN}." if own else "",
        "Shifts in percentage points of top-1, with 95 % t intervals: training, of the whole train split, over its "
        "classifiers, minus the largest plain set of its model; sampling, of that plain set minus this one.",
        f"Sets: {_sizes(one.row for one in found)}.",
        _largest(found),
        _whole(found),
        "Plain samples of model and prior: "
        + "; ".join(f"{name}: {behind.model} and {behind.prior}" for name, behind in named.items())
        + ".",
        *_reasons(found),
        f"{facts.place(first.position.split, first.position.protocol)}{facts.notes(named)}",
    ]
    return " ".join(filter(None, parts))


def _sizes(samples: Iterable[Sample]) -> str:
    """``n = 3 distilled sets, 1 classifier each``"""
    found = sorted({(one.estimate.sets, one.estimate.classifiers) for one in samples})
    return "n = " + " or ".join(f"{counted(s, 'distilled set')}, {counted(c, 'classifier')} each" for s, c in found)


def _largest(found: Sequence[WorthRow]) -> str:
    sizes = sorted({(one.position.ipc, max(one.model)) for one in found if one.model})
    if not sizes:
        return ""
    told = ", ".join(f"{size} images a class at IPC {ipc}" for ipc, size in sizes)
    return f"Largest plain sets: {told} ({_sizes(one.model[max(one.model)] for one in found if one.model)})."


def _whole(found: Sequence[WorthRow]) -> str:
    counts = sorted({one.whole.estimate.classifiers for one in found if one.whole})
    if not counts:
        return ""
    return f"The whole train split: one set, {' or '.join(counted(n, 'classifier') for n in counts)}."


def _reasons(found: Sequence[WorthRow]) -> list[str]:
    """Why there is no interval or no number, for those that are missing."""
    reasons = []
    sampled = [one for one in found if not one.row.note]
    if any(one.row.estimate.sets < 2 for one in sampled):
        reasons.append(
            "No interval of a single distilled set: it does not tell how much sets of a method differ (two or more by "
            "--seeds)."
        )
    if any(one.whole and one.whole.estimate.classifiers < 2 for one in sampled):
        reasons.append("No interval of a training shift by a single classifier.")
    plain = {
        (str(sample.position), sample.note)
        for one in found
        for curve in (one.model, one.prior)
        for sample in curve.values()
        if sample.note
    }
    if plain:
        told = "; ".join(f"{where}: {note}" for where, note in sorted(plain))
        reasons.append(
            f"Plain sets without a mean, which are on no curve ({told}): {DASH} where fewer than two sizes are left, "
            "and for shifts where the largest is missing."
        )
    if any(one.row.note for one in found):
        reasons.append(f"{DASH} beside a set that is not complete.")
    if any(one.whole is None or one.whole.note for one in sampled):
        reasons.append(f"{DASH} for training shifts where the whole train split was not judged.")
    return reasons
