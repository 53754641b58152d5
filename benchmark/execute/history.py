"""What stages have cost: seconds and memory of those that a store holds, to say what others of their sort will take."""

from __future__ import annotations

import contextlib
import json
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ddbench.errors import CorruptArtifact
from ddbench.keys import digest
from ddbench.plan.graph import Stage
from ddbench.store.folder import Store


@dataclass(frozen=True)
class MedianCost:
    """Medians over the stages of one sort that a store holds."""

    seconds: float
    memory_mib: float | None
    """peak resident memory; None where none was measured"""
    stages: int
    """how many the medians are over"""


def sort_of(task: Mapping[str, Any]) -> str:
    """The sort of work that a stage's task is. Stages of one sort are taken to cost about the same.

    That is: its kind on its dataset, by the same classes of method, objective and so on (their numbers may differ), for
    the same ipc, network, protocol, threads and device.
    """
    what: list[Any] = [
        task["stage"],
        task["dataset"]["name"],
        task.get("ipc", task.get("cell", {}).get("ipc")),
        len(task.get("classes", ())),
        task["threads"],
        task["device"],
        task.get("compute"),
    ]
    if task["stage"] == "evaluate":
        what += [task["judged"]["split"], _plain(task["network"]), _plain(task["protocol"])]
    else:
        what += [sorted(_types(task.get(name))) for name in ("preparation", "method")]
        what.append([sorted(_types(described)) for described in task.get("state", task.get("before", []))])
    return digest(what)


@dataclass
class History:
    """The costs in a store. ``update`` reads what has come since."""

    store: Store
    _seconds: dict[str, list[float]] = field(default_factory=dict)
    _memory: dict[str, list[float]] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    def update(self) -> None:
        """Read the manifests and records that were not there before. What is damaged is left out."""
        for task, run in self._new():
            try:
                sort, seconds = sort_of(task), run["seconds"]
                seconds = float(seconds["evaluate"] if isinstance(seconds, dict) else seconds)
            except (KeyError, TypeError, ValueError):
                continue  # of another kind, or written by hand: it says nothing of what is planned
            self._seconds.setdefault(sort, []).append(seconds)
            if (peak := run.get("peak_memory_mib")) is not None:
                self._memory.setdefault(sort, []).append(float(peak))

    def cost(self, stage: Stage) -> MedianCost | None:
        """What a stage of this sort has cost; None where the store holds none."""
        sort = sort_of(stage.task)
        seconds, memory = self._seconds.get(sort), self._memory.get(sort)
        if not seconds:
            return None
        return MedianCost(statistics.median(seconds), statistics.median(memory) if memory else None, len(seconds))

    def _new(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """(task, run) of each artifact and successful record that was not seen yet."""
        for kind, key in self.store.artifacts():
            if key not in self._seen:
                self._seen.add(key)
                with contextlib.suppress(CorruptArtifact, KeyError):
                    manifest = self.store.manifest(kind, key)
                    yield manifest["task"], manifest["run"]
        judged = [name for name in self.store.file_names("records") if ".ok." in name and name not in self._seen]
        self._seen.update(judged)
        for path in self.store.local_paths("records", judged):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                record = json.loads(path.read_bytes())
                yield record["config"]["evaluate"], record["run"]


def _types(described: Any) -> Iterator[str]:
    """The class names in a described value, at any depth."""
    if isinstance(described, dict):
        if "type" in described:
            yield str(described["type"])
        for value in described.values():
            yield from _types(value)
    elif isinstance(described, list):
        for value in described:
            yield from _types(value)


def _plain(described: dict[str, Any]) -> dict[str, Any]:
    """A described value whatever its code was: an edit seldom changes what a stage costs."""
    return {key: value for key, value in described.items() if key != "code"}
