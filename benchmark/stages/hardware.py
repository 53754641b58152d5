"""The hardware that a stage is computed on, and how: for manifests, records and messages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

DRIVER = Path("/proc/driver/nvidia/version")
PARTS = ("compute", "method", "preparation")
"""what a task computes with options of its own; its other parts were computed by stages before it"""


def hardware_of(task: Mapping[str, Any]) -> dict[str, Any]:
    """``device``, and the ``precision`` and ``compile`` that the stage's own options ask for, each once; on a card its
    ``name``, ``memory_mib``, ``driver`` and ``cuda`` version."""
    asked = {option: sorted(set(options_of(task, option))) for option in ("precision", "compile")}
    about = {"device": task["device"], **{option: values for option, values in asked.items() if values}}
    return {**about, **(card() if task["device"] == "cuda" else {})}


def options_of(task: Mapping[str, Any], option: str) -> Iterator[str]:
    """The values of an option of computing at any depth of a task, in today's words."""
    from ddbench.hyperparameters import FORMER

    for part in PARTS:
        for value in _values(task.get(part), option):
            yield str(FORMER[option].get(value, value))


def compiles(task: Mapping[str, Any]) -> bool:
    """Whether a stage needs torch's compiler; a set is decoded, and a network tuned, with parts that were loaded."""
    loaded = [task.get("state"), task.get("before")]
    return "blocks" in [*options_of(task, "compile"), *_values(loaded, "compile")]


def card() -> dict[str, Any]:
    """The card that torch computes on; empty where there is none."""
    import torch

    if not torch.cuda.is_available():
        return {}
    properties = torch.cuda.get_device_properties(torch.cuda.current_device())
    return {
        "name": properties.name,
        "memory_mib": round(properties.total_memory / 2**20),
        "driver": driver_version(),
        "cuda": torch.version.cuda,
    }


def driver_version(path: Path = DRIVER) -> str | None:
    """The version of NVIDIA's driver, such as 580.95.05; None where the kernel does not tell."""
    try:
        found = re.search(r"\b\d+\.\d+(?:\.\d+)?\b", path.read_text().partition("\n")[0])
    except OSError:
        return None
    return found[0] if found else None


def _values(described: Any, option: str) -> Iterator[Any]:
    """The values of the key ``option`` in a described value, at any depth."""
    if isinstance(described, Mapping):
        for name, value in described.items():
            if name == option:
                yield value
            else:
                yield from _values(value, option)
    elif isinstance(described, list | tuple):
        for value in described:
            yield from _values(value, option)
