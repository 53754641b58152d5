"""Merging stores: the results of several machines, or of two halves of a study, become one store.

Nothing is ever overwritten. Different content under one key is a conflict: it is reported, and the destination keeps
its own. Merging again changes nothing and, except for conflicts, the order of the sources does not matter.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ddbench.errors import CorruptArtifact
from ddbench.store.artifacts import MANIFEST
from ddbench.store.folder import Store
from ddbench.types import Record

FILE_FOLDERS: tuple[Literal["runs", "tunes"], ...] = ("runs", "tunes")
"""folders of small files that are copied by name"""

What = Literal["artifact", "record", "runs", "tunes"]


@dataclass(frozen=True)
class Conflict:
    """An artifact, record or file that differs between a source and the destination."""

    what: What
    name: str
    """``kind/key`` of an artifact, key of a cell, name of a file"""
    source: str
    """address of the store whose version was not copied"""
    reason: str

    def __str__(self) -> str:
        return f"{self.what} {self.name} of {self.source}: {self.reason}"


@dataclass
class MergeReport:
    """The result of a merge: numbers of things copied, conflicts and damage."""

    copied: dict[What, int] = field(default_factory=lambda: {"artifact": 0, "record": 0, "runs": 0, "tunes": 0})
    conflicts: list[Conflict] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    """what cannot be read in a source; it is left as it is"""


def merge(into: Store, sources: Sequence[Store]) -> MergeReport:
    """Copy into ``into`` all of ``sources`` that it lacks, checking every byte. The sources are only read."""
    report = MergeReport()
    for source in sources:
        _artifacts(into, source, report)
        _records(into, source, report)
        for folder in FILE_FOLDERS:
            _files(into, source, folder, report)
    return report


def _artifacts(into: Store, source: Store, report: MergeReport) -> None:
    for kind, key in source.artifacts():
        name = f"{kind}/{key}"
        try:
            manifest, known = source.manifest(kind, key), _known(into, kind, key)
            if known is not None:
                if known != _digests(manifest):
                    reason = "its files differ from those that are there"
                    report.conflicts.append(Conflict("artifact", name, source.address, reason))
                continue
            folder = source.read(kind, key)
        except CorruptArtifact as error:
            report.damaged.append(f"{source.address}: {error}")
            continue

        def fill(empty: Path, folder: Path = folder) -> None:
            shutil.copytree(folder, empty, dirs_exist_ok=True, ignore=shutil.ignore_patterns(MANIFEST))

        about = {k: v for k, v in manifest.items() if k not in {"key", "files", "attempt"}}
        into.write(kind, key, fill, about)
        if _digests(into.manifest(kind, key)) != _digests(manifest):
            reason = "another process wrote it meanwhile, with other files"
            report.conflicts.append(Conflict("artifact", name, source.address, reason))
        else:
            report.copied["artifact"] += 1


def _known(into: Store, kind: str, key: str) -> dict[str, str] | None:
    """Digests of the destination's artifact by file; None when it has none. A damaged one is set aside."""
    try:
        return _digests(into.manifest(kind, key)) if into.has(kind, key) else None
    except CorruptArtifact:
        into.set_aside(kind, key)
        return None


def _records(into: Store, source: Store, report: MergeReport) -> None:
    """Copy the records that are missing; a success that differs from that of the destination is a conflict."""
    existing, names = set(into.file_names("records")), source.file_names("records")
    missing = [name for name in names if name not in existing]
    keys = {name.partition(".")[0] for name in missing}
    good = {record.key: record for record in into.records(keys) if record.outcome == "ok"}
    for name, path in zip(missing, source.local_paths("records", missing), strict=True):
        content = path.read_bytes()
        try:
            record = Record.from_json(json.loads(content))
        except (ValueError, KeyError, TypeError):
            report.damaged.append(f"{source.address}: the record {name} cannot be read")
            continue
        if record.outcome == "ok":
            known = good.setdefault(record.key, record)
            if known.content() != record.content():
                reason = f"{record.cell} has another result than the one that is there: {_difference(known, record)}"
                report.conflicts.append(Conflict("record", record.key, source.address, reason))
                continue
        into.add_file("records", name, content)
        report.copied["record"] += 1


def _files(into: Store, source: Store, folder: Literal["runs", "tunes"], report: MergeReport) -> None:
    existing, names = set(into.file_names(folder)), source.file_names(folder)
    missing = [name for name in names if name not in existing]
    for name, path in zip(missing, source.local_paths(folder, missing), strict=True):
        into.add_file(folder, name, path.read_bytes())
        report.copied[folder] += 1


def _digests(manifest: dict[str, Any]) -> dict[str, str]:
    return {name: entry["sha256"] for name, entry in manifest["files"].items()}


def _difference(a: Record, b: Record) -> str:
    """``top-1 0.8123, not 0.8150``, or the fields that differ."""
    if a.curve and b.curve and a.last != b.last:
        return f"top-1 {b.last:.4f}, not {a.last:.4f}"
    other = b.content()
    return "in " + ", ".join(name for name, value in a.content().items() if other[name] != value)
