"""The resources that a stage takes, and whether some machine has them."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ddbench.plan.graph import Stage
from ddbench.store.folder import MANIFEST, Store

if TYPE_CHECKING:
    from ddbench.config.schema import Resources

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
    """The resources that stages take: as configured for their kind; by default a CPU for each thread, a GPU if the
    device is cuda, and the larger of the memory that the method declares and the recorded peak of the kind."""

    configured: Mapping[str, Resources] = field(default_factory=dict)
    peaks: Mapping[str, float] = field(default_factory=dict)
    """kind of stage -> largest recorded peak, MiB"""

    def of(self, stage: Stage, largest: Room) -> Room:
        """The resources that ``stage`` takes; ``largest`` is the most of each that any machine has.

        Threads and recorded peaks are capped at ``largest``: threads can share processors, and a peak from a larger
        machine is no reason to refuse a stage on this one. Configured and declared amounts are not capped.
        """
        asked = self.configured.get(stage.kind)
        cpus = asked.cpus if asked and asked.cpus is not None else min(stage.threads, largest.cpus)
        gpus = asked.gpus if asked and asked.gpus is not None else float(stage.task["device"] == "cuda")
        if asked and asked.memory_gib is not None:
            memory = asked.memory_gib * 1024
        else:
            declared = stage.memory_gib * 1024 if stage.task["device"] == "cpu" else 0.0
            memory = max(declared, min(self.peaks.get(stage.kind, 0.0), largest.memory))
        return Room(cpus, gpus, memory)


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


def recorded_peaks(store: Store, kinds: Iterable[str]) -> dict[str, float]:
    """Kind of stage -> the largest memory peak, MiB, of the latest stages of that kind in a store."""
    largest_peaks = {}
    for kind in set(kinds):
        pattern = "records/[!.]*.ok.*.json" if kind == "evaluate" else f"artifacts/{kind}/*/{MANIFEST}"
        latest = heapq.nlargest(LATEST, store.root.glob(pattern), key=_written)
        if peaks := [peak for path in latest if (peak := _peak(path)) is not None]:
            largest_peaks[kind] = max(peaks)
    return largest_peaks


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _peak(path: Path) -> float | None:
    try:
        return float(json.loads(path.read_bytes())["run"]["peak_memory_mib"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
