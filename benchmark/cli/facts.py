"""What captions say of protocols and methods, looked up in the classes that records name."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmark.types import Record
    from results.tables import Facts


def facts_of(records: Iterable[Record]) -> Facts:
    """Labels by protocol and external knowledge by method; nothing of what cannot be imported here."""
    from results.tables import Facts

    labels: dict[str, str] = {}
    knowledge: dict[str, str] = {}
    for record in records:
        if record.cell.protocol not in labels:
            labels[record.cell.protocol] = _said(record.config.get("evaluate", {}).get("protocol"), "labels")
        if record.cell.method not in knowledge and record.outcome == "ok":
            known = [_said(record.config.get(kind, {}).get("preparation"), "knowledge") for kind in ("prior", "embed")]
            known.append(_declared(record.config.get("distill", {}).get("method")))
            knowledge[record.cell.method] = "; ".join(filter(None, dict.fromkeys(known)))
    return Facts(labels, knowledge)


def _said(described: Any, attribute: str) -> str:
    """What the class of a described value says in a class attribute; empty where it, or the class, is not there."""
    module, _, name = str((described or {}).get("type", "")).partition(":")
    with contextlib.suppress(Exception):  # a plug-in that is not here, or broken: the table does without
        return str(getattr(getattr(importlib.import_module(module), name), attribute, ""))
    return ""


def _declared(described: Any) -> str:
    """The knowledge that a described method declares in its needs; empty where it, or its class, is not there."""
    from benchmark.stage_parts import plain
    from benchmark.values import build

    with contextlib.suppress(Exception):
        return str(build(plain(described)).needs().knowledge)
    return ""
