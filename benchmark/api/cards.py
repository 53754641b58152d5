"""Fidelity cards as they are shown: each item with what it is for a value's own options, and all cards as a page.

``python -m ddbench.api.cards`` prints docs/fidelity.md.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from typing import Any

from ddbench.config.values import describe
from ddbench.plugins.cards import MISSING, load_card, value_at
from ddbench.plugins.registry import DISTRIBUTION, Entry, Kind, entries
from ddbench.types import Distiller

KINDS: dict[Kind, str] = {"method": "Methods", "arch": "Networks", "protocol": "Protocols"}
"""kinds that have cards, with their headings on the page"""

HEAD = """\
# Fidelity

What stands under a published name here, beside what its authors' code does: the fidelity cards of all built-in
methods, networks and protocols (`methods/cards/`, `evaluators/cards/`), as `bench info NAME` prints them. The command
`python -m ddbench.api.cards > docs/fidelity.md` makes this page.

The column "at defaults" is for the options as they are without a configuration. What a study sets decides for its own
records: tables mark a row that differs in something (`igd*`), and `bench info "NAME[option=value]"` tells for other
options.

- same: as the source, by the value of an option or by the test that is named
- **differs**: open
- *not stated*: the source leaves it open, and ours is a choice

Numbers in the column "effect" were measured: of this harness before the item was closed, or of the peers' code.
"""


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


def page() -> str:
    """docs/fidelity.md: the cards of all built-in parts at their defaults, a table each, as Markdown."""
    parts = [HEAD]
    for kind, heading in KINDS.items():
        parts.append(f"## {heading}\n")
        parts += [_section(entry) for entry in entries(kind).values() if entry.origin.startswith(DISTRIBUTION)]
    return "\n".join(parts)


def _section(entry: Entry) -> str:
    value = entry.load()
    card = card_of(entry, None if inspect.isclass(value) else value)
    if card is None:
        return f"### `{entry.name}`\n\nHas no card.\n"
    lines = [f"### `{entry.name}`\n", f"{card['paper']}.".replace("..", "."), ""]
    if card["source"]:
        lines[1] += f" Source: {card['source']}."
    if card["items"]:
        lines += ["| item | source | ours | at defaults | effect | test |", "|---|---|---|---|---|---|"]
    for item in card["items"]:
        status = {"same": "same", "differs": "**differs**"}.get(item["status"], f"*{item['status']}*")
        test = f"`{item['test']}`" if item["test"] else ""
        cells = (item["item"], item["source"], item["ours"], status, item["effect"], test)
        lines.append(f"| {' | '.join(map(_escaped, cells))} |")
    return "\n".join([*lines, ""] if card["items"] else lines)


def _escaped(text: str) -> str:
    """What Markdown would take for the end of a cell or for bold, outside code, as it is."""
    return text if text.startswith("`") else text.replace("|", "\\|").replace("__", "\\_\\_")


if __name__ == "__main__":
    print(page(), end="")
