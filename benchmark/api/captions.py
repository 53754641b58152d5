"""What captions say of protocols and methods, looked up in the classes that records name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ddbench.results.tables import CaptionFacts
    from ddbench.types import Record


def facts_of(records: Iterable[Record]) -> CaptionFacts:
    """Labels by protocol and external knowledge by method; nothing of what cannot be imported here."""
    from ddbench.results.tables import CaptionFacts

    labels: dict[str, str] = {}
    knowledge: dict[str, str] = {}
    for record in records:
        if record.cell.protocol not in labels:
            labels[record.cell.protocol] = _said(record, "evaluate", "protocol", "labels")
        if record.cell.method not in knowledge and record.outcome == "ok":
            known = [_said(record, kind, "preparation", "knowledge") for kind in ("prior", "embed")]
            known.append(_declared(record))
            knowledge[record.cell.method] = "; ".join(filter(None, dict.fromkeys(known)))
    return CaptionFacts(labels, knowledge)


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
