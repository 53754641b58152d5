"""What captions say of protocols and methods, looked up in the classes that records name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping

from ddbench.config.addresses import class_of, name_of, version_of
from ddbench.config.values import build, plain
from ddbench.plugins.cards import load_card
from ddbench.plugins.registry import entries
from ddbench.results.statistics.versions import named_parts, version_in
from ddbench.results.tables import CaptionFacts
from ddbench.types import ImageView, Record


def facts_of(records: Iterable[Record]) -> CaptionFacts:
    """Labels by protocol, external knowledge and open differences by method, views and earlier versions by split and
    protocol; nothing of what cannot be imported here."""
    records = tuple(records)
    labels: dict[str, str] = {}
    knowledge: dict[str, str] = {}
    differs: dict[str, list[str]] = {}
    for record in records:
        method = record.cell.method
        if record.cell.protocol not in labels:
            labels[record.cell.protocol] = _said(record, "evaluate", "protocol", "labels")
        if method not in knowledge and record.outcome == "ok":
            known = [_said(record, kind, "preparation", "knowledge") for kind in ("prior", "embed")]
            known.append(_declared(record))
            knowledge[method] = "; ".join(filter(None, dict.fromkeys(known)))
            differs[method] = _differences(record)
    return CaptionFacts(labels, knowledge, differs, *_by_place(records))


def _differences(record: Record) -> list[str]:
    """The items of the method's fidelity card in which a record is not what the authors' code does."""
    entry = entries("method").get(record.cell.method.partition("[")[0])
    described = record.config.get("distill", {}).get("method", {})
    if entry is None or not isinstance(described, dict):
        return []
    with contextlib.suppress(Exception):  # a plug-in that is not here, or broken: the table does without
        if described.get("type") == name_of(type(entry.load())) and (card := load_card(entry)):
            return card.open_in(record.config)
    return []


def _by_place(records: Iterable[Record]) -> tuple[dict[tuple[str, str], str], dict[tuple[str, str], tuple[str, ...]]]:
    """For each split and protocol: how test images were decoded, and what is of an earlier version than the code."""
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
    task = record.config.get("evaluate") or {}
    if view := (task.get("judged") or {}).get("view"):
        return f"test images decoded to {ImageView(**view)}"
    asked = (task.get("protocol") or {}).get("test_images") == "decoded"
    return "test images as the dataset gives them" if asked else ""


def _version_here(name: str, addresses: Mapping[str, str]) -> int:
    """The version of a class in the code; 1 where it cannot be imported."""
    with contextlib.suppress(Exception):  # a plug-in that is not here, or broken
        return version_of(class_of(name, addresses))
    return 1


def _said(record: Record, kind: str, part: str, attribute: str) -> str:
    """What the class of a part that a stage read says in a class attribute; empty where it, or the class, is not
    there."""
    with contextlib.suppress(Exception):  # a plug-in that is not here, or broken: the table does without
        cls = class_of(record.config[kind][part]["type"], record.run.get("addresses", {}))
        return str(getattr(cls, attribute, ""))
    return ""


def _declared(record: Record) -> str:
    """The knowledge that a record's method declares in its needs; empty where it, or its class, is not there."""
    with contextlib.suppress(Exception):
        described = record.config["distill"]["method"]
        return str(build(plain(described), record.run.get("addresses", {})).needs().knowledge)
    return ""
