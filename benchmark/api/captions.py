"""What captions say of protocols and methods, looked up in the classes that records name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ddbench.results.tables import Facts
    from ddbench.types import Record


def facts_of(records: Iterable[Record]) -> Facts:
    """Labels by protocol, external knowledge by method, views and earlier versions by split and protocol; nothing of
    what cannot be imported here."""
    from ddbench.results.tables import Facts

    records = tuple(records)
    labels: dict[str, str] = {}
    knowledge: dict[str, str] = {}
    for record in records:
        if record.cell.protocol not in labels:
            labels[record.cell.protocol] = _said(record, "evaluate", "protocol", "labels")
        if record.cell.method not in knowledge and record.outcome == "ok":
            known = [_said(record, kind, "preparation", "knowledge") for kind in ("prior", "embed")]
            known.append(_declared(record))
            knowledge[record.cell.method] = "; ".join(filter(None, dict.fromkeys(known)))
    return Facts(labels, knowledge, *_by_place(records))


def _by_place(records: Iterable[Record]) -> tuple[dict[tuple[str, str], str], dict[tuple[str, str], tuple[str, ...]]]:
    """For each split and protocol: how test images were decoded, and what is of an earlier version than the code."""
    from ddbench.results.statistics.versions import named_parts, version_in

    views: dict[tuple[str, str], dict[str, None]] = {}
    earlier: dict[tuple[str, str], dict[str, None]] = {}
    now: dict[str, int] = {}
    for record in records:
        place = (record.cell.split, record.cell.protocol)
        if view := _view(record):
            views.setdefault(place, {})[view] = None
        for label, name in named_parts(record) if record.outcome == "ok" else ():
            if name not in now:
                now[name] = _version_here(name, record.run.get("addresses", {}))
            if version_in(name) < now[name]:
                text = f"{label}@{version_in(name)} (now {label}@{now[name]})"
                earlier.setdefault(place, {})[text] = None
    return {place: " or ".join(v) for place, v in views.items()}, {place: tuple(v) for place, v in earlier.items()}


def _view(record: Record) -> str:
    """How the judged images of a record were decoded; empty where its protocol asks for no view."""
    from ddbench.types import ImageView

    task = record.config.get("evaluate") or {}
    if view := (task.get("judged") or {}).get("view"):
        return f"test images decoded to {ImageView(**view)}"
    asked = (task.get("protocol") or {}).get("test_images") == "decoded"
    return "test images as the dataset gives them" if asked else ""


def _version_here(name: str, addresses: Mapping[str, str]) -> int:
    """The version of a class in the code; 1 where it cannot be imported."""
    from ddbench.config.addresses import class_of, version_of

    with contextlib.suppress(Exception):  # a plug-in that is not here, or broken
        return version_of(class_of(name, addresses))
    return 1


def _said(record: Record, kind: str, part: str, attribute: str) -> str:
    """What the class of a part that a stage read says in a class attribute; empty where it, or the class, is not
    there."""
    from ddbench.config.addresses import class_of

    with contextlib.suppress(Exception):  # a plug-in that is not here, or broken: the table does without
        cls = class_of(record.config[kind][part]["type"], record.run.get("addresses", {}))
        return str(getattr(cls, attribute, ""))
    return ""


def _declared(record: Record) -> str:
    """The knowledge that a record's method declares in its needs; empty where it, or its class, is not there."""
    from ddbench.config.values import build, plain

    with contextlib.suppress(Exception):
        described = record.config["distill"]["method"]
        return str(build(plain(described), record.run.get("addresses", {})).needs().knowledge)
    return ""
