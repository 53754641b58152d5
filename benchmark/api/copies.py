"""What records say of images that sets share with the judged split or with one another, or hold twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from itertools import combinations
from statistics import fmean

from ddbench.results.cost import set_key
from ddbench.results.tables.copies import SetCopies, shared_images
from ddbench.stages.copies import LEAST
from ddbench.types import Record


def copies_of(record: Record) -> SetCopies | None:
    """The images of a record's set by what else they are; None where none were counted, as in old records."""
    counts = record.run.get("copies")
    return SetCopies(**{f.name: int(counts.get(f.name, 0)) for f in fields(SetCopies)}) if counts else None


def copies_by_place(records: Iterable[Record]) -> dict[tuple[str, str], dict[str, SetCopies]]:
    """(split, protocol) -> method -> the images of its judged sets, each set counted once."""
    found: dict[tuple[str, str], dict[str, SetCopies]] = {}
    counted: set[tuple[str, str, str | None]] = set()
    for record in records:
        place, method = (record.cell.split, record.cell.protocol), record.cell.method
        copies = copies_of(record) if record.outcome == "ok" else None
        if copies is None or (*place, set_key(record)) in counted:
            continue
        counted.add((*place, set_key(record)))
        methods = found.setdefault(place, {})
        methods[method] = methods.get(method, SetCopies()) + copies
    return found


def alike_by_place(records: Iterable[Record]) -> dict[tuple[str, str], dict[str, float]]:
    """(split, protocol) -> method -> the share of images that two sets of it have in common: the mean over the pairs of
    a dataset and IPC, the largest of these. Records that hold no digests are passed over."""
    sets: dict[tuple[tuple[str, str], str, str, int], dict[str | None, tuple[str, ...]]] = {}
    for record in records:
        digests, cell = (record.run.get("copies") or {}).get("digests"), record.cell
        if digests and record.outcome == "ok":
            group = ((cell.split, cell.protocol), cell.method, cell.dataset, cell.ipc)
            sets.setdefault(group, {})[set_key(record)] = tuple(digests)
    found: dict[tuple[str, str], dict[str, float]] = {}
    for (place, method, *_), known in sets.items():
        pairs = [shared_images(a, b, LEAST) for a, b in combinations(known.values(), 2)]
        if pairs:
            shares = found.setdefault(place, {})
            shares[method] = max(shares.get(method, 0.0), fmean(pairs))
    return found
