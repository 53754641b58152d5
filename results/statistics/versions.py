"""Versions of methods, networks and their parts, read from the names of classes that records hold.

A name is ``distribution:Class``, or ``distribution:Class@version`` above version 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ddbench.types import Record


def named_parts(record: Record) -> Iterator[tuple[str, str]]:
    """(label, name of the class) of what made and judged a record's set: the arch, the method, the parts inside them
    and the preparations. The arch and the method go by their names in the cell, others by that of their class."""
    kinds = {"evaluate": "network", "distill": "method", "prior": "preparation", "fit": "preparation"}
    labels = {"evaluate": record.cell.arch, "distill": record.cell.method}
    for stage, part in {**kinds, "embed": "preparation", "teacher": "preparation"}.items():
        described = (record.config.get(stage) or {}).get(part)
        for depth, name in _names(described):
            yield (labels.get(stage) or "").partition("[")[0] * (depth == 0) or class_name(name), name


def version_in(name: str) -> int:
    """The version in the name of a class: ``ddbench:DM@2`` -> 2, ``ddbench:DM`` -> 1."""
    _, _, version = name.partition("@")
    return int(version) if version.isdecimal() else 1


def class_name(name: str) -> str:
    """``ddbench:DM@2`` -> ``DM``."""
    return name.rpartition(":")[2].partition("@")[0]


def several_versions(records: Iterable[Record]) -> list[str]:
    """``dm@1``, ``dm@2``: the versions of everything of which ``records`` hold more than one; sorted."""
    found: dict[tuple[str, str], set[int]] = {}
    for record in records:
        for label, name in named_parts(record):
            found.setdefault((label, class_name(name)), set()).add(version_in(name))
    return sorted(f"{label}@{v}" for (label, _), versions in found.items() if len(versions) > 1 for v in versions)


def _names(described: Any, depth: int = 0) -> Iterator[tuple[int, str]]:
    if isinstance(described, dict):
        if isinstance(described.get("type"), str):
            yield depth, described["type"]
        for value in described.values():
            yield from _names(value, depth + 1)
    elif isinstance(described, list):
        for value in described:
            yield from _names(value, depth + 1)
