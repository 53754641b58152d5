"""The measured cost of the stages in a store, as an estimate for planned stages of the same sort."""

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
    """number of stages measured"""


def sort_of(task: Mapping[str, Any]) -> str:
    """A digest of the sort of a stage, by its task. Stages of one sort are expected to cost about the same.

    A sort is: kind of stage, dataset, classes of method, objective and so on (the values of their fields may differ),
    ipc, network, protocol, threads and device.
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
    if "skipped" in task:
        what.append("skipped")
    elif task["stage"] == "evaluate":
        what += [task["judged"]["split"], _plain(task["network"]), _plain(task["protocol"])]
    else:
        what += [sorted(_types(task.get(name))) for name in ("preparation", "method")]
        what.append([sorted(_types(described)) for described in task.get("state", task.get("before", []))])
    return digest(what)


@dataclass
class History:
    """The costs of the stages in a store, as of the last ``update``."""

    store: Store
    _seconds: dict[str, list[float]] = field(default_factory=dict)
    _memory: dict[str, list[float]] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    def update(self) -> None:
        """Read new manifests and records. Damaged ones are left out."""
        for task, run in self._new():
            try:
                sort, seconds = sort_of(task), run["seconds"]
                seconds = float(seconds["evaluate"] if isinstance(seconds, dict) else seconds)
            except (KeyError, TypeError, ValueError):
                continue  # another kind of artifact, or edited by hand
            self._seconds.setdefault(sort, []).append(seconds)
            if (peak := run.get("peak_memory_mib")) is not None and "together" not in run:  # else it is of all
                self._memory.setdefault(sort, []).append(float(peak))

    def cost(self, stage: Stage) -> MedianCost | None:
        """The median cost of stages of the same sort; None when the store holds none."""
        sort = sort_of(stage.task)
        seconds, memory = self._seconds.get(sort), self._memory.get(sort)
        if not seconds:
            return None
        return MedianCost(statistics.median(seconds), statistics.median(memory) if memory else None, len(seconds))

    def _new(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """(task, run) of each artifact and successful record that has not been read yet."""
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
    """A described value without its code digest: an edit of the code seldom changes the cost of a stage."""
    return {key: value for key, value in described.items() if key != "code"}
