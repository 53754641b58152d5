"""The hardware behind records, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ddbench.types import Record


def hardware_of(records: Iterable[Record]) -> tuple[str, ...]:
    """What the stages behind the successful ``records`` ran on, each once: cards first, then processors."""
    cards: dict[str, None] = {}
    processors: dict[str, None] = {}
    for record in records:
        if record.outcome == "ok":
            processor = str(record.run.get("provenance", {}).get("processor") or "an unnamed processor")
            for stage in _stages(record):
                if stage.get("device") == "cuda":
                    cards[card_name(stage)] = None
                else:
                    processors[processor] = None
    return *cards, *processors


def on_a_card(records: Iterable[Record]) -> bool:
    """Whether any stage behind the successful ``records`` ran on a card."""
    return any(stage.get("device") == "cuda" for r in records if r.outcome == "ok" for stage in _stages(r))


def run_hardware(record: Record, kind: str) -> Mapping[str, Any] | None:
    """What the stage ``kind`` behind a record ran on, and in which precision; None in records of earlier releases."""
    told = record.run.get("hardware")
    return told.get(kind) if isinstance(told, Mapping) else None


def card_name(stage: Mapping[str, Any]) -> str:
    """``NVIDIA H200 (driver 580.95.05, CUDA 13.0)``"""
    if not stage.get("name"):
        return "a GPU that records do not name"
    versions = [f"{what} {stage[key]}" for key, what in (("driver", "driver"), ("cuda", "CUDA")) if stage.get(key)]
    return f"{stage['name']} ({', '.join(versions)})" if versions else str(stage["name"])


def _stages(record: Record) -> list[Mapping[str, Any]]:
    """The hardware of each stage behind a record; of a release before it was recorded, the device alone."""
    told = record.run.get("hardware")
    if isinstance(told, Mapping) and told:
        return [stage for stage in told.values() if isinstance(stage, Mapping)]
    return [{"device": (record.config.get("evaluate") or {}).get("device")}]
