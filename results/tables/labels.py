"""The table of labels: random images, methods and the whole train split under hard and under soft labels, side by side.

Random images under soft labels reach what methods were published with, so that referees ask for both columns and for
the random row; and soft labels may take more bytes than the images.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ddbench.errors import BenchError
from ddbench.results.scores import augmentation_robust, augments, label_robust
from ddbench.results.statistics import WHOLE, Position, Sample
from ddbench.results.tables.block import marks_of
from ddbench.results.tables.captions import CaptionFacts, Spread, epoch, spread_words
from ddbench.results.tables.model import Column, Item, Table, items
from ddbench.results.tables.text import DASH, as_text

RANDOM = "random"
"""the method whose sets are random images"""
SOFT = ("teacher", "set", "stored")
"""kinds of soft labels"""
KIB = 1024


@dataclass(frozen=True)
class Pair:
    """The protocols of a table: ``hard`` and ``soft`` labels, and one without augmentation, or None, whose twin with
    augmentation is ``augmented``: one of the two others."""

    split: str
    hard: str
    soft: str
    plain: str | None
    augmented: str


def label_tables(samples: Mapping[Position, Sample], facts: CaptionFacts, spread: Spread = "sd") -> list[Table]:
    """A table for each split and each pair of a protocol with hard and one with soft labels.

    Raises BenchError where there are not both.
    """
    pairs = _pairs(samples, facts)
    if not pairs:
        found = {p.protocol: facts.labels.get(p.protocol, "") for p in samples}
        known = ", ".join(f"{name} ({kind or 'unknown'})" for name, kind in found.items()) or "none"
        raise BenchError(
            f"a table of labels needs cells under hard and under soft labels of one split; the protocols here: "
            f"{known}. Run the same study with --protocol cpu-small@1 and --protocol cpu-small-teacher@1 "
            "(`bench list protocols`)."
        )
    return [_table(pair, samples, facts, spread) for pair in pairs]


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


def _table(pair: Pair, samples: Mapping[Position, Sample], facts: CaptionFacts, spread: Spread) -> Table:
    split, protocols = pair.split, (pair.hard, pair.soft)
    here = {p: s for p, s in samples.items() if p.split == split and p.protocol in (*protocols, pair.plain)}
    judged = [p for p in here if p.protocol in protocols]
    places = sorted({(p.dataset, p.arch, p.ipc) for p in judged if p.ipc != WHOLE})
    whole = [p.method for p in judged if p.ipc == WHOLE]
    methods = list(dict.fromkeys([*(p.method for p in judged if p.ipc != WHOLE), *whole]))
    methods.sort(key=lambda m: (m in whole, m != RANDOM))
    body, data = [], []
    for place in places:
        found = {m: _numbers(pair, here, place, m) for m in methods}
        shown = {m: n for m, n in found.items() if n["hard"] or n["soft"]}
        marks = {
            name: marks_of({m: round(n[name], 4) for m, n in shown.items() if n[name] is not None and m not in whole})
            for name in ("top1_hard", "top1_soft", "lrs", "ars")
        }
        for m, n in shown.items():
            ipc = WHOLE if m in whole else place[2]
            arch = facts.arch(place[1], split, pair.soft)
            where = items(place[0], arch, str(place[2]), f"{facts.name(m)} (all)" if m in whole else facts.name(m))
            cells = [
                Item(as_text(n["hard"].estimate if n["hard"] else None, spread), marks["top1_hard"].get(m, "")),
                Item(as_text(n["soft"].estimate if n["soft"] else None, spread), marks["top1_soft"].get(m, "")),
                *(Item(_score(n[score]), marks[score].get(m, "")) for score in ("lrs", "ars")),
                Item(_kib(n["soft_label_bytes"])),
            ]
            body.append((*where, *cells))
            numbers = {key: value for key, value in n.items() if key not in ("hard", "soft")}
            data.append({**_coordinates(pair, place, ipc, m), **numbers})
    select = next(iter(here.values())).select
    sets = sorted({s.estimate.sets for p, s in here.items() if p.ipc != WHOLE})
    plain = (
        f"ARS: augmentation-robust score, with {pair.augmented} and, without augmentation, {pair.plain}"
        if pair.plain
        else "ARS: augmentation-robust score; a protocol without augmentation is missing"
    )
    caption = (
        f"Top-1 accuracy (%) {epoch(select)} under hard labels ({pair.hard}) and soft labels ({pair.soft}): mean ± "
        f"{spread_words(spread)} over distilled sets (n = {' or '.join(map(str, sets))}). LRS: DD-Ranking's "
        "label-robust score of the means, from 0 to 1: the gain over random images under soft labels, less what hard "
        "labels lose "
        f"against all train images, equally weighted. {plain}. Soft labels: KiB that they take, stored in half "
        f"precision for each image and epoch where a teacher gives them. {facts.place(split, pair.hard)} "
        f"{facts.place(split, pair.soft)}{facts.notes(methods)}"
    )
    columns = (
        Column("dataset", "l", "Dataset"),
        Column("arch", "l", "Model"),
        Column("IPC"),
        Column("method", "l", "Method"),
        Column("hard labels"),
        Column("soft labels"),
        Column("LRS"),
        Column("ARS"),
        Column("soft labels (KiB)"),
    )
    return Table(columns, tuple(body), caption, lambda: data, stub=3)


def _numbers(
    pair: Pair, samples: Mapping[Position, Sample], place: tuple[str, str, int], method: str
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
    }


def _of(score: Any, *means: float | None) -> float | None:
    return None if any(mean is None for mean in means) else float(score(*means))


def _bytes(sample: Sample | None) -> float | None:
    """Mean over the cells of what their protocols logged; None where some did not."""
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


def _kib(value: float | None) -> str:
    return DASH if value is None else f"{value / KIB:.1f}"
