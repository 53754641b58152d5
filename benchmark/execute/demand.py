"""The resources that a stage takes, and whether some machine has them."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddbench.execute.history import sort_of
from ddbench.plan.graph import Stage
from ddbench.stages.gpu import CONTEXT_MIB
from ddbench.store.folder import MANIFEST, Store

if TYPE_CHECKING:
    from ddbench.config.schema import Resources

PARTS = (8, 4, 2)
"""numbers of equal parts into which a card is divided; powers of two, whose parts add up to one exactly"""
MARGIN = 1.25
"""times a measured peak: torch's cache is not packed without gaps, and a peak is of one run"""
LATEST = 200
"""number of the latest stages of a kind whose recorded memory peaks are read"""


@dataclass(frozen=True)
class Room:
    """An amount of resources: what a stage takes or what a machine has. Memory is in MiB."""

    cpus: float
    gpus: float
    memory: float

    def holds(self, other: Room) -> bool:
        return other.cpus <= self.cpus and other.gpus <= self.gpus and other.memory <= self.memory

    def __add__(self, other: Room) -> Room:
        return Room(self.cpus + other.cpus, self.gpus + other.gpus, self.memory + other.memory)

    def __sub__(self, other: Room) -> Room:
        return Room(self.cpus - other.cpus, self.gpus - other.gpus, self.memory - other.memory)


NOTHING = Room(0, 0, 0)


@dataclass(frozen=True)
class Demand:
    """The resources that stages take: as configured for their kind; by default a CPU for each thread, a GPU or a part
    of one if the device is cuda, and the larger of the memory that the method declares and the recorded peak of the
    kind."""

    configured: Mapping[str, Resources] = field(default_factory=dict)
    peaks: Mapping[str, float] = field(default_factory=dict)
    """kind of stage -> largest recorded peak, MiB"""
    gpu_peaks: Mapping[str, float] = field(default_factory=dict)
    """sort of stage (``history.sort_of``) -> largest recorded peak on a card, MiB"""
    card_mib: float = 0.0
    """memory of the smallest card; 0: unknown"""

    def of(self, stage: Stage, largest: Room, together: int = 1) -> Room:
        """The resources that ``stage`` takes, or a process with so many of its sort ``together``, which take turns on
        its processors; ``largest`` is the most of each that any machine has.

        Threads and recorded peaks are capped at ``largest``: threads can share processors, and a peak from a larger
        machine is no reason to refuse a stage on this one. Configured and declared amounts are not capped.
        """
        asked = self.configured.get(stage.kind)
        cpus = asked.cpus if asked and asked.cpus is not None else min(stage.threads, largest.cpus)
        gpus = asked.gpus if asked and asked.gpus is not None else self.part_of_card(stage, together)
        if asked and asked.memory_gib is not None:
            memory = asked.memory_gib * 1024 * together
        else:
            declared = stage.memory_gib * 1024 if stage.task["device"] == "cpu" else 0.0
            peak = self.peaks.get(stage.kind, 0.0) * together
            memory = max(declared * together, min(peak, largest.memory) if together == 1 else peak)
        return Room(cpus, gpus, memory)

    def shares(self, stage: Stage) -> bool:
        """Whether a stage gets a part of a card because of measured peaks, and not because somebody said so."""
        asked = self.configured.get(stage.kind)
        return (asked is None or asked.gpus is None) and 0 < self.part_of_card(stage) < 1

    def holds_together(self, stage: Stage, together: int) -> bool:
        """Whether so many stages of the sort of ``stage``, which is measured, fit on a card, or the configured part."""
        asked = self.configured.get(stage.kind)
        part = min(asked.gpus, 1.0) if asked and asked.gpus else 1.0
        return not self.card_mib or self.card_memory(stage, together) <= part * self.card_mib

    def measured(self, stage: Stage, gpu_mib: float | None) -> Demand:
        """This demand, knowing also the peak on a card of ``stage``, which ran alone."""
        if stage.task["device"] != "cuda" or gpu_mib is None:
            return self
        sort = sort_of(stage.task)
        return replace(self, gpu_peaks={**self.gpu_peaks, sort: max(gpu_mib, self.gpu_peaks.get(sort, 0.0))})

    def part_of_card(self, stage: Stage, together: int = 1) -> float:
        """The GPUs that ``stage`` takes by default: the smallest part that holds its peak with a margin and what its
        process needs besides; a whole one where no stage of its sort has been measured."""
        if stage.task["device"] != "cuda":
            return 0.0
        if sort_of(stage.task) not in self.gpu_peaks or not self.card_mib:
            return 1.0
        needs = self.card_memory(stage, together)
        return next((1 / parts for parts in PARTS if needs <= self.card_mib / parts), 1.0)

    def card_memory(self, stage: Stage, together: int = 1) -> float:
        """MiB of a card that ``stage``, or so many of its sort ``together``, needs by what was measured or its method
        declares, with a margin and what a process needs besides; 0: unknown."""
        peak = max(self.gpu_peaks.get(sort_of(stage.task), 0.0), stage.memory_gib * 1024)
        return together * MARGIN * peak + CONTEXT_MIB if peak else 0.0


def refusal(stage: Stage, needs: Room, machines: Iterable[Room]) -> str | None:
    """Why no machine can run a stage that takes ``needs``; None when one can."""
    machines = list(machines)
    if any(machine.holds(needs) for machine in machines):
        return None
    most = largest(machines)
    asked = [
        f"{need:g} {what}, and the most that a machine here has is {has:g}"
        for need, has, what in (
            (needs.cpus, most.cpus, "processors"),
            (needs.gpus, most.gpus, "GPUs"),
            (needs.memory / 1024, round(most.memory / 1024, 1), "GiB of memory"),
        )
        if need > has
    ]
    asked = asked or [f"{needs.cpus:g} processors, {needs.gpus:g} GPUs and {needs.memory / 1024:g} GiB on one machine"]
    return f"nothing here can run it: it takes {'; '.join(asked)}. See resources.{stage.kind} in the configuration."


def largest(machines: Iterable[Room]) -> Room:
    """The most of each resource that any machine has."""
    most = NOTHING
    for m in machines:
        most = Room(max(most.cpus, m.cpus), max(most.gpus, m.gpus), max(most.memory, m.memory))
    return most


def recorded_peaks(store: Store, kinds: Iterable[str]) -> tuple[dict[str, float], dict[str, float]]:
    """Kind of stage -> the largest memory peak, and sort of stage -> the largest peak on a card, both in MiB, of the
    latest stages of each kind in a store. The peak of several stages that ran together counts, divided by their number,
    where none ran alone."""
    peaks: dict[str, float] = {}
    gpu_peaks: dict[str, float] = {}
    shared: tuple[dict[str, float], dict[str, float]] = {}, {}
    for kind in set(kinds):
        pattern = "records/[!.]*.ok.*.json" if kind == "evaluate" else f"artifacts/{kind}/*/{MANIFEST}"
        for path in heapq.nlargest(LATEST, store.root.glob(pattern), key=_written):
            task, run = _task_and_run(path)
            together = max(_number(run.get("together")) or 1.0, 1.0)
            of_kind, of_sort = (peaks, gpu_peaks) if together == 1 else shared
            if (peak := _number(run.get("peak_memory_mib"))) is not None:
                of_kind[kind] = max(peak / together, of_kind.get(kind, 0.0))
            if task.get("device") == "cuda" and (peak := _number(run.get("peak_gpu_mib"))) is not None:
                with suppress(KeyError, TypeError):  # edited by hand
                    sort = sort_of(task)
                    of_sort[sort] = max(peak / together, of_sort.get(sort, 0.0))
    return {**shared[0], **peaks}, {**shared[1], **gpu_peaks}


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _task_and_run(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of a manifest or a record; empty where it cannot be read."""
    try:
        read = json.loads(path.read_bytes())
        return read.get("task") or read.get("config", {}).get("evaluate") or {}, dict(read["run"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}, {}


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
