"""What records say of images that sets share with the judged split, or hold twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields

from ddbench.results.cost import set_key
from ddbench.results.tables.copies import SetCopies
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
