"""Facts for the captions of tables, looked up in the classes that records name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ddbench.results.tables import Facts
    from ddbench.types import Record


def facts_of(records: Iterable[Record]) -> Facts:
    """Kind of labels by protocol, external knowledge by method; left out for classes that cannot be imported."""
    from ddbench.results.tables import Facts

    labels: dict[str, str] = {}
    knowledge: dict[str, str] = {}
    for record in records:
        if record.cell.protocol not in labels:
            labels[record.cell.protocol] = _attribute_of(record, "evaluate", "protocol", "labels")
        if record.cell.method not in knowledge and record.outcome == "ok":
            known = [_attribute_of(record, kind, "preparation", "knowledge") for kind in ("prior", "embed")]
            known.append(_declared_knowledge(record))
            knowledge[record.cell.method] = "; ".join(filter(None, dict.fromkeys(known)))
    return Facts(labels, knowledge)


def _attribute_of(record: Record, kind: str, part: str, attribute: str) -> str:
    """The class attribute ``attribute`` of the class at ``config[kind][part]`` of a record; empty if there is none."""
    from ddbench.config.addresses import class_of

    with contextlib.suppress(Exception):  # the plug-in is missing or broken; the caption does without
        cls = class_of(record.config[kind][part]["type"], record.run.get("addresses", {}))
        return str(getattr(cls, attribute, ""))
    return ""


def _declared_knowledge(record: Record) -> str:
    """The external knowledge that a record's method declares in ``needs()``; empty when it cannot be built."""
    from ddbench.config.values import build, plain

    with contextlib.suppress(Exception):
        described = record.config["distill"]["method"]
        return str(build(plain(described), record.run.get("addresses", {})).needs().knowledge)
    return ""
