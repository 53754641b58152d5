"""The cost of distilling a set and of judging it, from its records and from what the store knows of the set."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ddbench.types import Record

OWN = ("embed", "fit", "distill")
"""stages that run for one method; the prior is shared by many"""


@dataclass(frozen=True)
class SetFacts:
    """What a store knows of a distilled set besides its records; None is unknown."""

    images: int | None = None
    memory_mib: int | None = None
    """highest peak of resident memory of the stages in ``OWN``"""
    gpu_mib: int | None = None
    """highest peak of the memory that torch had allocated on the GPU, of the same stages"""
    raw_bytes: int | None = None
    """of its pixels, a byte for each channel"""
    png_bytes: int | None = None
    """of the PNG files that `bench export` writes"""
    soft_bytes: int | None = None
    """of the soft labels that are part of the set; 0 without any"""


@dataclass(frozen=True)
class SetCost:
    """Means over distilled sets, in seconds; None is unknown or not needed. Memory: the highest peak."""

    prior: float | None
    embed: float | None
    fit: float | None
    distill: float | None
    """of one set"""
    per_image: float | None
    """seconds of ``distill`` for each image"""
    own_per_image: float | None
    """seconds of all stages in ``OWN`` for each image; stages that serve several sets count in full for each"""
    evaluate: float | None
    """of one classifier"""
    memory_mib: int | None
    gpu_mib: int | None
    raw_bytes: float | None = None
    """of the pixels of one set"""
    png_bytes: float | None = None
    label_bytes: float | None = None
    """of the soft labels that a classifier learned from: those in the set, or those that a teacher made, stored"""
    teacher_bytes: float | None = None
    """of the weights of the teacher that made them, or else of the method's own"""
    on_gpu: float | None = None
    """seconds on a GPU of the stages in ``OWN`` and of judging once"""
    on_cpu: float | None = None
    """the others of these seconds"""
    teacher: float | None = None
    """of training the teachers of the method and of its judge, each once; like the prior they are shared by many"""


def set_key(record: Record) -> str | None:
    """The key of the distilled set that a record judged."""
    parents = record.config.get("evaluate", {}).get("parents", [])
    return parents[0] if parents else None


def cost_of(records: Sequence[Record], facts: Mapping[str, SetFacts]) -> SetCost:
    """The cost behind successful ``records`` of one position; ``facts``: by key of the distilled set."""
    sets = {set_key(record): record for record in records}
    known = {key: facts.get(key, SetFacts()) if key else SetFacts() for key in sets}
    seconds = {kind: _mean(_seconds(record, kind) for record in sets.values()) for kind in ("prior", *OWN)}
    shares = [_per_image(record, known[key], ("distill",)) for key, record in sets.items()]
    owns = [_per_image(record, known[key], OWN) for key, record in sets.items()]
    return SetCost(
        **seconds,
        per_image=_mean(shares),
        own_per_image=_mean(owns),
        evaluate=_mean(_seconds(record, "evaluate") for record in records),
        memory_mib=_highest(one.memory_mib for one in known.values()),
        gpu_mib=_highest(one.gpu_mib for one in known.values()),
        raw_bytes=_mean(one.raw_bytes for one in known.values()),
        png_bytes=_mean(one.png_bytes for one in known.values()),
        label_bytes=_mean(_label_bytes(record, known[key]) for key, record in sets.items()),
        teacher_bytes=_mean(_teacher_bytes(record) for record in sets.values()),
        on_gpu=_mean(seconds_on(record, gpu=True) for record in records),
        on_cpu=_mean(seconds_on(record, gpu=False) for record in records),
        teacher=_mean(teachers_seconds(record) for record in sets.values()),
    )


def logged_bytes(record: Record, what: str) -> float | None:
    """What an evaluation logged as ``teacher_bytes`` or ``soft_label_bytes``; None where it logged nothing."""
    found = record.run.get("log", {}).get(f"{what}_bytes")
    return None if found is None else float(found)


@dataclass(frozen=True)
class TeacherFacts:
    """What a record says of the teacher of its labels, or else of that of its method."""

    top1: float | None
    """on the judged images, as the student sees them; None of a method's own, which is not judged"""
    train_top1: float | None
    """on its own train images, augmented, in its last epoch; None of a checkpoint"""
    bytes: float | None
    """of its weights"""


def teacher_of(record: Record) -> TeacherFacts | None:
    """None where neither the labels nor the method needed a teacher."""
    log = record.run.get("log", {})
    judges = [one for one in record.run.get("judge", ()) if one["stage"] == "teacher"]
    stages = [*judges, *([record.run["teacher"]] if "teacher" in record.run else [])]
    if not stages and "teacher_bytes" not in log:
        return None
    trained = stages[0].get("log", {}) if stages else {}
    weights = log.get("teacher_bytes", trained.get("teacher_bytes"))
    return TeacherFacts(log.get("teacher_top1"), trained.get("train_top1"), weights)


def soft_label_bytes(record: Record) -> float | None:
    """What the soft labels that a record was judged by take; None where it was judged by hard ones."""
    return logged_bytes(record, "soft_label")


def seconds_on(record: Record, gpu: bool) -> float | None:
    """Seconds of the stages in ``OWN`` and of the evaluation behind a record that ran on a GPU, or on none; None when a
    device or the seconds of judging are not on record."""
    kinds = [kind for kind in (*OWN, "evaluate") if _seconds(record, kind) is not None]
    devices = {kind: record.config.get(kind, {}).get("device") for kind in kinds}
    if "evaluate" not in kinds or None in devices.values():
        return None
    return sum(_seconds(record, kind) or 0.0 for kind in kinds if str(devices[kind]).startswith("cuda") == gpu)


def _teacher_bytes(record: Record) -> float | None:
    found = teacher_of(record)
    return found.bytes if found else None


def teachers_seconds(record: Record) -> float | None:
    """Seconds of training or loading the teachers of the method and of its judge, each once; None without any."""
    judges = [one["seconds"] for one in record.run.get("judge", ()) if one["stage"] == "teacher"]
    own = _seconds(record, "teacher")
    # One teacher of both has one manifest, whose seconds are equal to the last digit.
    found = {*judges, *([] if own is None else [own])}
    return sum(found) if found else None


def _label_bytes(record: Record, facts: SetFacts) -> float | None:
    logged = logged_bytes(record, "soft_label")
    return logged if logged is not None else facts.soft_bytes


def front(points: Mapping[str, tuple[float, float]]) -> set[str]:
    """The Pareto front: names for which no other is as cheap and more accurate, or cheaper and as accurate.

    points: name -> (cost, accuracy).
    """
    return {
        name
        for name, (cost, accuracy) in points.items()
        if not any(c <= cost and a >= accuracy and (c, a) != (cost, accuracy) for c, a in points.values())
    }


def _seconds(record: Record, kind: str) -> float | None:
    found = record.run.get("seconds", {}).get(kind)
    return None if found is None else float(found)


def _per_image(record: Record, facts: SetFacts, kinds: Sequence[str]) -> float | None:
    if not facts.images or _seconds(record, "distill") is None:
        return None
    return sum(_seconds(record, kind) or 0.0 for kind in kinds) / facts.images


def _mean(values: Iterable[float | None]) -> float | None:
    """None where any is unknown."""
    found = list(values)
    known = [value for value in found if value is not None]
    return statistics.fmean(known) if found and len(known) == len(found) else None


def _highest(values: Iterable[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)
