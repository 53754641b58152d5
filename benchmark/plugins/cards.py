"""Fidelity cards: item by item, whether a method under a published name does what its authors' code does.

A card is data, a YAML file ``NAME.card.yaml``: in the folder ``cards`` beside the module that registers NAME, or beside
a plug-in file. It is read without importing anything.

    paper: Influence-Guided Diffusion for Dataset Distillation (ICLR 2025)
    source: https://github.com/mchen725/DD_IGD
    items:
      - item: guided steps
        source: respaced index 45 down to 30, of 50 (sample.py)
        ours: the window, a share of the sampling steps
        option: distill.method.guidance.window
        value: [0.1, 0.4]
        effect: the other half of the steps guides where the image is settled
        test: tests/methods/diffusion/test_igd.py::test_the_window
      - item: surrogate's checkpoints
        ...
        status: differs

An item with an ``option``, the place of a value in a record's configuration, is the same where the record has the
source's ``value``, and an open difference elsewhere. Without one, ``status`` says it for every record, or with
``channels`` for those of images of so many channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from ddbench.errors import BenchError, unknown, unreadable
from ddbench.plugins.registry import Entry
from ddbench.plugins.source import source_path

Status = Literal["same", "differs", "not stated"]
STATUSES: tuple[Status, ...] = get_args(Status)
SUFFIX = ".card.yaml"


@dataclass(frozen=True)
class CardItem:
    """One item of a card: a choice of the authors' code, and ours."""

    item: str
    source: str
    """what the authors' code does, and in which file"""
    ours: str
    """what our code does"""
    status: Status = "same"
    """``not stated``: the source leaves it open, so that our value is a choice"""
    option: str = ""
    """dotted path of the option in a record's configuration: ``distill.method.guidance.k``"""
    value: Any = None
    """the value of that option in the authors' code"""
    effect: str = ""
    """measured effect of the difference"""
    test: str = ""
    """``tests/file.py::test_name``, which compares our code with the source"""
    channels: int = 0
    """the item is about images of so many channels alone; 0: about all"""

    def open_in(self, config: Mapping[str, Any], channels: int = 0) -> bool:
        """Whether a record of this configuration differs here from the source; ``channels``: of its images, 0 if they
        are not known."""
        if self.channels and channels and self.channels != channels:
            return False
        if not self.option:
            return self.status == "differs"
        return value_at(config, self.option) != self.value


@dataclass(frozen=True)
class Card:
    """The card of a registered name: its paper, the code that was read, and the items."""

    name: str
    paper: str = ""
    source: str = ""
    items: Sequence[CardItem] = field(default_factory=tuple)

    def open_in(self, config: Mapping[str, Any], channels: int = 0) -> list[str]:
        """The items in which a record of this configuration differs from the source; ``channels``: of its images, 0 if
        they are not known."""
        return [item.item for item in self.items if item.open_in(config, channels)]


MISSING = object()
"""marks an option that a configuration does not have; equal to no value"""


def value_at(config: Mapping[str, Any], place: str) -> Any:
    """The value at a dotted path in nested mappings, or MISSING."""
    value: Any = config
    for part in place.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return MISSING
        value = value[part]
    return value


def card_path(entry: Entry) -> Path | None:
    """The path of the card of a registered name, which may not exist; None when its module has no file."""
    module = source_path(entry.reference.partition(":")[0])
    origin = Path(entry.origin)
    beside = origin if origin.suffix == ".py" else module
    if beside is None:
        return None
    name = f"{entry.name}{SUFFIX}"
    return beside.parent / name if origin.suffix == ".py" else beside.parent / "cards" / name


def load_card(entry: Entry) -> Card | None:
    """The card of a registered name; None when it has none. Raises BenchError for a malformed card."""
    path = card_path(entry)
    if path is None or not path.is_file():
        return None
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        raw = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BenchError(f"cannot read the card {path}{unreadable(error, text)}") from None
    if not isinstance(raw, dict):
        raise BenchError(f"the card {path} must be a YAML mapping with the keys paper, source and items.")
    for key in raw:
        if key not in ("paper", "source", "items"):
            raise unknown("key", str(key), ("paper", "source", "items"), where=f"the card {path}")
    items = tuple(_item(one, path) for one in raw.get("items") or ())
    return Card(entry.name, str(raw.get("paper") or ""), str(raw.get("source") or ""), items)


def _item(raw: Any, path: Path) -> CardItem:
    names = CardItem.__dataclass_fields__
    if not isinstance(raw, dict) or not {"item", "source", "ours"} <= set(raw):
        raise BenchError(f"an item of the card {path} needs the keys item, source and ours.")
    for key in raw:
        if key not in names:
            raise unknown("key", str(key), names, where=f"the card {path}, item {raw['item']!r}")
    if (status := raw.get("status", "same")) not in STATUSES:
        raise unknown("status", str(status), STATUSES, where=f"the card {path}, item {raw['item']!r}")
    return CardItem(**raw)
