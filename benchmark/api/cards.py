"""Fidelity cards as JSON, with the status of each item for the options of a method."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from ddbench.config.values import describe
from ddbench.plugins.cards import MISSING, load_card, value_at
from ddbench.plugins.registry import Entry
from ddbench.types import Distiller


def card_of(entry: Entry, value: Any) -> dict[str, Any] | None:
    """The card of a registered name as JSON, with ``status`` as it is for the options of ``value``; None for none.

    Raises BenchError for a file that is no card.
    """
    card = load_card(entry)
    if card is None:
        return None
    config = config_of(value)
    items = []
    for item in card.items:
        row = dataclasses.asdict(item)
        if item.option:
            ours = value_at(config, item.option)
            row["status"] = "differs" if item.open_in(config) else "same"
            row["ours"] = f"{item.ours}: {'not there' if ours is MISSING else ours}"
        items.append(row)
    return {"paper": card.paper, "source": card.source, "items": items}


def config_of(value: Any) -> dict[str, Any]:
    """The part of the configuration of a record of ``value`` that cards refer to."""
    described = dict(_described(value)) if dataclasses.is_dataclass(value) else {}
    return described or {"evaluate": {"network": {}, "protocol": {}}}


def _described(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Distiller):
        yield "distill", {"method": describe(value)}
        for preparation in value.preparations(0):
            yield preparation.stage, {"preparation": describe(preparation)}
    else:
        yield "evaluate", {"network": describe(value), "protocol": describe(value)}
