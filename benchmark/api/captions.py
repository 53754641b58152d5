"""Facts for the captions of tables, looked up in the classes that records name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from ddbench.api.copies import alike_by_place, copies_by_place
from ddbench.api.hardware import hardware_of, on_a_card
from ddbench.api.sets import stage_keys
from ddbench.config.addresses import class_of, name_of, version_of
from ddbench.config.values import build, plain
from ddbench.learning.teacher import TrainedTeacher
from ddbench.plugins.cards import load_card
from ddbench.plugins.registry import Kind, entries
from ddbench.results.statistics.balanced import balanced
from ddbench.results.statistics.versions import class_name, named_parts, version_in
from ddbench.results.tables import CaptionFacts
from ddbench.results.tables.captions import SHARED
from ddbench.types import Dataset, ImageView, Record, Split

TRAINED = class_name(name_of(TrainedTeacher))
"""the name in records of a teacher that a plan trains"""


def facts_of(records: Iterable[Record]) -> CaptionFacts:
    """Kind of labels by protocol; external knowledge and open differences by method. Classes that cannot be imported
    are left out."""
    labels: dict[str, str] = {}
    knowledge: dict[str, str] = {}
    differs: dict[str, list[str]] = {}
    records = list(records)
    for record in records:
        method = record.cell.method
        if record.cell.protocol not in labels:
            labels[record.cell.protocol] = _labels(record)
        if method not in knowledge and record.outcome == "ok":
            known = [_attribute_of(record, kind, "preparation", "knowledge") for kind in ("prior", "embed")]
            known.append(_declared_knowledge(record))
            knowledge[method] = "; ".join(filter(None, dict.fromkeys(known)))
            differs[method] = _differences(record)
    views, earlier = _by_place(records)
    return CaptionFacts(
        labels,
        knowledge,
        differs,
        _shared(records),
        views,
        judges=_judges(records),
        earlier=earlier,
        copies=copies_by_place(records),
        alike=alike_by_place(records),
        checked=_checked(records),
        hardware=_hardware(records),
    )


def _labels(record: Record) -> str:
    """What classifiers of a record learned from: a key of ``results.tables.captions.LABELS``."""
    kind = _attribute_of(record, "evaluate", "protocol", "labels")
    teacher = ((record.config.get("evaluate") or {}).get("protocol") or {}).get("teacher")
    trained = isinstance(teacher, dict) and class_name(str(teacher.get("type"))) == TRAINED
    return "trained" if kind == "teacher" and trained else kind


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


def _judges(records: Iterable[Record]) -> dict[tuple[str, str], dict[str, list[str]]]:
    """For each split and protocol: the protocol and the networks that differ from their sources, and in what."""
    differs: dict[tuple[str, str], dict[str, list[str]]] = {}
    seen: set[tuple[str, str, str]] = set()
    for record in records:
        cell = record.cell
        if record.outcome != "ok" or (cell.split, cell.protocol, cell.arch) in seen:
            continue
        seen.add((cell.split, cell.protocol, cell.arch))
        described = record.config.get("evaluate") or {}
        judges = {
            cell.protocol: _open_items(record, "protocol", cell.protocol, described.get("protocol")),
            cell.arch: _open_items(record, "arch", cell.arch, described.get("network")),
        }
        differs.setdefault((cell.split, cell.protocol), {}).update({n: items for n, items in judges.items() if items})
    return differs


def _checked(records: Iterable[Record]) -> dict[tuple[str, str], str]:
    """For each split and protocol: what the check of the images counted, but the images of each split themselves, and
    where the classes of the judged images are unequal."""
    counts: dict[tuple[str, str], dict[str, None]] = {}
    for record in records:
        for what, count in record.run.get("data", {}).items():
            if count and what not in get_args(Split) and record.outcome == "ok":
                counts.setdefault((record.cell.split, record.cell.protocol), {})[f"{count} {what}"] = None
        if (found := balanced([record]) if record.by_class else None) and found.unequal:
            told = f"{found.fewest} to {found.most} judged images a class: see the layout `balanced`"
            counts.setdefault((record.cell.split, record.cell.protocol), {})[told] = None
    return {place: ", ".join(told) for place, told in counts.items()}


def _hardware(records: Iterable[Record]) -> dict[tuple[str, str], tuple[str, ...]]:
    """For each split and protocol that a card had a part in: what its stages ran on."""
    by_place: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        by_place.setdefault((record.cell.split, record.cell.protocol), []).append(record)
    return {place: hardware_of(found) for place, found in by_place.items() if on_a_card(found)}


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


def _shared(records: Iterable[Record]) -> dict[str, list[str]]:
    """Method -> kinds of stage that sets of several seeds share on every dataset that has several."""
    keys: dict[tuple[str, str], dict[str, set[str]]] = {}
    seeds: dict[tuple[str, str], set[int]] = {}
    for record in records:
        if record.outcome == "ok":
            place = record.cell.method, record.cell.dataset
            seeds.setdefault(place, set()).add(record.cell.seed)
            for kind, key in stage_keys(record).items():
                keys.setdefault(place, {}).setdefault(kind, set()).add(key)
    once: dict[str, list[str]] = {}
    for (method, dataset), by_kind in keys.items():
        several = len(seeds[method, dataset]) > 1
        here = [kind for kind in SHARED if several and len(by_kind.get(kind, ())) == 1]
        once[method] = [kind for kind in here if kind in once.get(method, here)]
    return once


def _differences(record: Record) -> list[str]:
    """The items of the method's fidelity card in which a record differs from the authors' code."""
    described = record.config.get("distill", {}).get("method", {})
    return _open_items(record, "method", record.cell.method.partition("[")[0], described)


def _open_items(record: Record, kind: Kind, name: str, described: Any) -> list[str]:
    """The items of the card of ``name`` in which a record differs; none where the record's class is not that of
    ``name``."""
    entry = entries(kind).get(name)
    if entry is None or not isinstance(described, dict):
        return []
    with contextlib.suppress(Exception):  # the plug-in is missing or broken; the caption does without
        same_class = class_name(described["type"]) == class_name(name_of(type(entry.load())))
        if same_class and (card := load_card(entry)):
            channels = _channels(record) if any(item.channels for item in card.items) else 0
            return card.open_in(record.config, channels)
    return []


def _channels(record: Record) -> int:
    """The channels of the images of a record's dataset; 0 where it cannot be made here."""
    with contextlib.suppress(Exception):
        dataset: type[Dataset] = entries("dataset")[record.cell.dataset].load()
        return int(dataset().shape[0])
    return 0


def _attribute_of(record: Record, kind: str, part: str, attribute: str) -> str:
    """The class attribute ``attribute`` of the class at ``config[kind][part]`` of a record; empty if there is none."""
    with contextlib.suppress(Exception):  # the plug-in is missing or broken; the caption does without
        cls = class_of(record.config[kind][part]["type"], record.run.get("addresses", {}))
        return str(getattr(cls, attribute, ""))
    return ""


def _declared_knowledge(record: Record) -> str:
    """The external knowledge that a record's method declares in ``needs()``; empty when it cannot be built."""
    with contextlib.suppress(Exception):
        described = record.config["distill"]["method"]
        return str(build(plain(described), record.run.get("addresses", {})).needs().knowledge)
    return ""
