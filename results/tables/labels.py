"""The table of labels: random images, methods and the whole train split under hard and under soft labels, side by side.

Random images under soft labels reach what methods were published with, so that referees ask for both columns and for
the random row; and soft labels may take more bytes than the images.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ddbench.errors import BenchError
from ddbench.results.cost import SetFacts, cost_of, teacher_of
from ddbench.results.scores import augmentation_robust, augments, label_robust
from ddbench.results.statistics import WHOLE, Position, Sample
from ddbench.results.tables.block import marks_of
from ddbench.results.tables.captions import CaptionFacts, Spread, epoch, spread_words
from ddbench.results.tables.model import Column, Item, Table, items, told_columns
from ddbench.results.tables.text import DASH, as_text, kilobytes, percent, seconds

RANDOM = "random"
"""the method whose sets are random images"""
LABELLED = "random_labelled"
"""what they are called where labels were stored for them (`bench labels`), under protocols that train on those"""
SOFT = ("teacher", "trained", "set", "stored")
"""kinds of soft labels"""


STUB = (
    Column("dataset", "l", "Dataset"),
    Column("arch", "l", "Model"),
    Column("IPC"),
    Column("method", "l", "Method"),
    Column("hard labels"),
    Column("soft labels"),
    Column("LRS"),
    Column("ARS"),
)
COSTS: Mapping[str, tuple[Column, Callable[[float | None], str]]] = {
    "soft_label_bytes": (Column("soft labels (kB)"), kilobytes),
    "png_bytes": (Column("set as PNG (kB)"), kilobytes),
    "teacher_top1": (Column("teacher top-1"), percent),
    "teacher_bytes": (Column("teacher (kB)"), kilobytes),
    "distill_s": (Column("distil a set (s)"), seconds),
    "evaluate_s": (Column("judge (s)"), seconds),
    "teacher_s": (Column("teacher (s)"), seconds),
}
"""number -> its column and how it is written"""


@dataclass(frozen=True)
class Pair:
    """The protocols of a table: ``hard`` and ``soft`` labels, and one without augmentation, or None, whose twin with
    augmentation is ``augmented``: one of the two others."""

    split: str
    hard: str
    soft: str
    plain: str | None
    augmented: str


def label_tables(
    samples: Mapping[Position, Sample],
    facts: CaptionFacts,
    spread: Spread = "sd",
    sets: Mapping[str, SetFacts] | None = None,
) -> list[Table]:
    """A table for each split and each pair of a protocol with hard and one with soft labels. ``sets``: what stores know
    of the distilled sets, by key.

    Raises BenchError where there are not both.
    """
    samples = _with_labelled(samples, facts)
    pairs = _pairs(samples, facts)
    if not pairs:
        found = {p.protocol: facts.labels.get(p.protocol, "") for p in samples}
        known = ", ".join(f"{name} ({kind or 'unknown'})" for name, kind in found.items()) or "none"
        raise BenchError(
            f"a table of labels needs cells under hard and under soft labels of one split; the protocols here: "
            f"{known}. Run the same study with --protocol cpu-small@1 and --protocol cpu-small-teacher@1 "
            "(`bench list protocols`)."
        )
    return [_table(pair, samples, facts, spread, sets or {}) for pair in pairs]


def _with_labelled(samples: Mapping[Position, Sample], facts: CaptionFacts) -> dict[Position, Sample]:
    """``samples``, in which random images with stored labels are those of the method ``RANDOM``."""
    found = {}
    for position, sample in samples.items():
        random = replace(position, method=RANDOM)
        stored = position.method == LABELLED and facts.labels.get(position.protocol) == "stored"
        found[random if stored and random not in samples else position] = sample
    return found


def has_both(samples: Mapping[Position, Sample], facts: CaptionFacts) -> bool:
    """Whether some split has cells under hard and under soft labels."""
    return bool(_pairs(samples, facts))


def _pairs(samples: Mapping[Position, Sample], facts: CaptionFacts) -> list[Pair]:
    by_split: dict[str, dict[str, bool]] = {}
    for position, sample in samples.items():
        for record in sample.good[:1]:
            described = record.config["evaluate"].get("protocol") or {}
            by_split.setdefault(position.split, {})[position.protocol] = augments(described)
    pairs = []
    for split, protocols in by_split.items():
        of_kind = {
            kind: [name for name in protocols if facts.labels.get(name) in kinds]
            for kind, kinds in (("hard", ("hard",)), ("soft", SOFT))
        }
        judges = {kind: [n for n in names if protocols[n]] or names for kind, names in of_kind.items()}
        for hard in judges["hard"]:
            for soft in judges["soft"]:
                twins = [(n, soft) for n in of_kind["soft"] if not protocols[n] and n != soft]
                twins += [(n, hard) for n in of_kind["hard"] if not protocols[n] and n != hard]
                plain, augmented = twins[0] if twins else (None, soft)
                pairs.append(Pair(split, hard, soft, plain, augmented))
    return pairs


def _table(
    pair: Pair,
    samples: Mapping[Position, Sample],
    facts: CaptionFacts,
    spread: Spread,
    sets: Mapping[str, SetFacts],
) -> Table:
    split, protocols = pair.split, (pair.hard, pair.soft)
    here = {p: s for p, s in samples.items() if p.split == split and p.protocol in (*protocols, pair.plain)}
    judged = [p for p in here if p.protocol in protocols]
    places = sorted({(p.dataset, p.arch, p.ipc) for p in judged if p.ipc != WHOLE})
    whole = [p.method for p in judged if p.ipc == WHOLE]
    methods = list(dict.fromkeys([*(p.method for p in judged if p.ipc != WHOLE), *whole]))
    methods.sort(key=lambda m: (m in whole, m != RANDOM))
    stubs, scores, costs, data = [], [], [], []
    for place in places:
        found = {m: _numbers(pair, here, place, m, sets) for m in methods}
        shown = {m: n for m, n in found.items() if n["hard"] or n["soft"]}
        marks = {
            name: marks_of({m: round(n[name], 4) for m, n in shown.items() if n[name] is not None and m not in whole})
            for name in ("top1_hard", "top1_soft", "lrs", "ars")
        }
        for m, n in shown.items():
            ipc = WHOLE if m in whole else place[2]
            arch = facts.arch(place[1], split, pair.soft)
            name = f"{facts.name(m)} (all)" if m in whole else facts.name(m)
            stubs.append(items(place[0], arch, str(place[2]), name))
            scores.append(
                (
                    Item(as_text(n["hard"].estimate if n["hard"] else None, spread), marks["top1_hard"].get(m, "")),
                    Item(as_text(n["soft"].estimate if n["soft"] else None, spread), marks["top1_soft"].get(m, "")),
                    *(Item(_score(n[score]), marks[score].get(m, "")) for score in ("lrs", "ars")),
                )
            )
            costs.append([text(n[key]) for key, (_, text) in COSTS.items()])
            numbers = {key: value for key, value in n.items() if key not in ("hard", "soft")}
            data.append({**_coordinates(pair, place, ipc, m), **numbers})
    columns, texts = told_columns([column for column, _ in COSTS.values()], costs)
    body = [(*stub, *score, *items(*text)) for stub, score, text in zip(stubs, scores, texts, strict=True)]
    select = next(iter(here.values())).select
    counts = sorted({s.estimate.sets for p, s in here.items() if p.ipc != WHOLE})
    plain = (
        f"ARS: augmentation-robust score, with {pair.augmented} and, without augmentation, {pair.plain}"
        if pair.plain
        else "ARS: augmentation-robust score; a protocol without augmentation is missing"
    )
    caption = (
        f"Top-1 accuracy (%) {epoch(select)} under hard labels ({pair.hard}) and soft labels ({pair.soft}): mean ± "
        f"{spread_words(spread)} over distilled sets (n = {' or '.join(map(str, counts))}). LRS: DD-Ranking's "
        "label-robust score of the means, from 0 to 1: the gain over random images under soft labels, less what hard "
        "labels lose "
        f"against all train images, equally weighted. {plain}. Beside them what sets take, means: soft labels (stored "
        "in half precision for each image and epoch where a teacher gives them), the PNG files of a set, the "
        "teacher's weights (of the method's own where labels need none) in kB of 1,000 bytes, its accuracy (%) on the "
        "judged images as the student sees them, and seconds of distilling a set, of judging it under soft labels, and "
        "of training or loading the teachers, which many share; columns of dashes are left out. "
        f"{facts.place(split, pair.hard)} "
        f"{facts.place(split, pair.soft)}{facts.notes(methods)}"
    )
    return Table((*STUB, *columns), tuple(body), caption, lambda: data, stub=3)


def _numbers(
    pair: Pair,
    samples: Mapping[Position, Sample],
    place: tuple[str, str, int],
    method: str,
    sets: Mapping[str, SetFacts],
) -> dict[str, Any]:
    """The samples of a method in a row under both protocols, and what is computed of their means; None is unknown."""
    dataset, arch, ipc = place

    def at(protocol: str | None, name: str) -> Sample | None:
        if protocol is None:
            return None
        asked = (Position(dataset, pair.split, protocol, arch, size, name) for size in (ipc, WHOLE))
        return next((samples[p] for p in asked if p in samples), None)

    def mean(protocol: str | None, name: str) -> float | None:
        found = at(protocol, name)
        return found.estimate.mean if found else None

    real = next((p.method for p in samples if p.ipc == WHOLE and (p.dataset, p.arch) == (dataset, arch)), "")
    hard, soft = at(pair.hard, method), at(pair.soft, method)
    is_real = method == real
    lrs = _of(
        label_robust,
        mean(pair.hard, method),
        mean(pair.hard, real),
        mean(pair.soft, method),
        mean(pair.soft, RANDOM),
    )
    ars = _of(
        augmentation_robust,
        mean(pair.augmented, method),
        mean(pair.augmented, RANDOM),
        mean(pair.plain, method),
        mean(pair.plain, RANDOM),
    )
    return {
        "hard": hard,
        "soft": soft,
        "top1_hard": mean(pair.hard, method),
        "top1_soft": mean(pair.soft, method),
        "top1_plain": mean(pair.plain, method),
        "lrs": None if is_real else lrs,  # of the real images themselves there is no set to score
        "ars": None if is_real else ars,
        "soft_label_bytes": _bytes(soft),
        **_cost(soft or hard, sets, is_real),
    }


def _cost(sample: Sample | None, sets: Mapping[str, SetFacts], is_real: bool) -> dict[str, float | None]:
    """What a set, its teacher and judging it take; of the whole train split, which is no set, judging and teacher."""
    found = cost_of(sample.good, sets) if sample else None
    return {
        "raw_bytes": None if found is None or is_real else found.raw_bytes,
        "png_bytes": None if found is None or is_real else found.png_bytes,
        "teacher_top1": _teacher_top1(sample),
        "teacher_bytes": None if found is None else found.teacher_bytes,
        "distill_s": None if found is None else found.distill,
        "evaluate_s": None if found is None else found.evaluate,
        "teacher_s": None if found is None else found.teacher,
    }


def _teacher_top1(sample: Sample | None) -> float | None:
    """Mean over the cells of the accuracy of the labels' teacher on the judged images; None where some have none."""
    found = [teacher.top1 if (teacher := teacher_of(record)) else None for record in sample.good] if sample else []
    known = [value for value in found if value is not None]
    return statistics.fmean(known) if known and len(known) == len(found) else None


def _of(score: Any, *means: float | None) -> float | None:
    return None if any(mean is None for mean in means) else float(score(*means))


def _bytes(sample: Sample | None) -> float | None:
    """Of the soft labels. Mean over the cells of what their protocols logged; None where some did not."""
    logged = [record.run.get("log", {}).get("soft_label_bytes") for record in sample.good] if sample else []
    return statistics.fmean(logged) if logged and None not in logged else None


def _coordinates(pair: Pair, place: Sequence[Any], ipc: int, method: str) -> dict[str, Any]:
    return {
        "dataset": place[0],
        "split": pair.split,
        "hard": pair.hard,
        "soft": pair.soft,
        "plain": pair.plain or "",
        "arch": place[1],
        "ipc": ipc,
        "method": method,
    }


def _score(value: float | None) -> str:
    return DASH if value is None else f"{value:.3f}"
