"""From the label of an external image, a name or a number, to the class of the dataset that it means."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from ddbench.data.imagefile import normalised
from ddbench.errors import BenchError, unknown
from ddbench.plugins.source import source_path
from ddbench.types import Dataset

AS_DATASET = "dataset"
"""in place of a file: classes are numbered in the order of the dataset"""
LEMMAS = Path("data", "_info", "imagenet_synset_to_lemma.txt")
"""file in timm's folder: a line for each wnid, with its names, separated by commas"""
WNID = re.compile(r"n\d{8}")

Names = Mapping[str, set[str]]
"""normalised name -> the classes that it may mean"""


@dataclass(frozen=True)
class ClassOrder:
    """Which class a number means: its place in ``names``."""

    source: str
    """for messages"""
    names: tuple[str, ...]

    def name(self, number: int, where: str) -> str:
        if number >= len(self.names):
            raise BenchError(
                f"{where}: the class number {number} is none of the {len(self.names)} of {self.source}, which counts "
                "from 0."
            )
        return self.names[number]


def read_order(given: str | None, dataset: Dataset) -> ClassOrder | None:
    """The order that ``--class-order`` names; None for None.

    ``given``: the word ``dataset``, or a file with a class on each line, the first being number 0; or a JSON file, a
    list of names or an object from number to name (or to a list whose first entry is the name). Raises BenchError.
    """
    if given is None:
        return None
    if given == AS_DATASET:
        return ClassOrder(f"the order of {dataset.name}", dataset.classes)
    path = Path(given)
    try:
        text = path.read_text(encoding="utf-8-sig")
        names = _json_names(text) if path.suffix == ".json" else [line.strip() for line in text.rstrip().splitlines()]
    except OSError as error:
        raise BenchError(
            f"the class order {path} cannot be read: {error.strerror}. Name a file with a class on each line, or write "
            f"--class-order {AS_DATASET} for the order of {dataset.name}."
        ) from None
    except (ValueError, KeyError, TypeError, IndexError):
        raise BenchError(f"the class order {path} is neither text nor a list of class names in JSON.") from None
    if "" in names:
        raise BenchError(f"line {names.index('') + 1} of the class order {path} is empty: a class has its own line.")
    if repeated := next((name for i, name in enumerate(names) if name in names[:i]), None):
        raise BenchError(f"the class order {path} names {repeated!r} twice.")
    return ClassOrder(str(path), tuple(names))


def _json_names(text: str) -> list[str]:
    value = json.loads(text)
    if isinstance(value, dict):
        value = [value[str(i)] for i in range(len(value))]
    return [str(entry[0] if isinstance(entry, list) else entry).strip() for entry in value]


class ClassNames:
    """The classes of a dataset by all that people call them: their names and aliases, synonyms, numbers of an order.

    Case does not count, nor do blanks, hyphens and underscores, except where two classes differ in nothing else. A
    label may be several synonyms, separated by commas (``tench, Tinca tinca``), of which one is enough. Where classes
    are wnids, WordNet's names are synonyms, from the list that timm ships.
    """

    def __init__(self, dataset: Dataset, order: ClassOrder | None = None) -> None:
        self.dataset, self.order = dataset, order

    def of(self, label: str, where: str) -> str:
        """The class that ``label`` means; with an order, a number is a place in it. Raises BenchError."""
        if self.order and label.isdecimal():
            label, where = self.order.name(int(label), where), self.order.source
        found = self._meant(label)
        if len(found) > 1:
            raise BenchError(f"{where}: {label!r} may mean {' or '.join(sorted(found))}. Write that name.")
        if not found:
            raise self._unknown(label, where)
        return found.pop()

    def _meant(self, label: str) -> set[str]:
        if label in self.dataset.classes:
            return {label}
        first = label.split(maxsplit=1)[0] if label.strip() else ""
        if WNID.fullmatch(first) and first in self.dataset.classes:
            return {first}
        parts = [part for part in label.split(",") if part.strip()]
        for asked in ([label], parts):
            for names in self._tiers:
                if found := set().union(*(names.get(normalised_name(name), set()) for name in asked)):
                    return found
        return set()

    @cached_property
    def _tiers(self) -> tuple[Names, ...]:
        """Names that take precedence over the next: a class's own, aliases, WordNet's whole entries, single words."""
        lemmas = [(wnid, names) for wnid, names in _lemmas() if wnid in set(self.dataset.classes)]
        return (
            _index((name, name) for name in self.dataset.classes),
            _index(self.dataset.aliases().items()),
            _index((names, wnid) for wnid, names in lemmas),
            _index((name, wnid) for wnid, names in lemmas for name in names.split(",")),
        )

    def _unknown(self, label: str, where: str) -> BenchError:
        dataset = self.dataset
        written = [*dataset.classes, *dataset.aliases()]
        shown = f"the classes of {dataset.name} are {', '.join(written[:3])}, ..."
        hint = f"{shown[0].upper()}{shown[1:]}"
        if label.isdecimal():
            hint = (
                f"A class is known by its name, never by a number alone: {shown} If folders or labels are numbers, "
                f"--class-order FILE says which class each is (--class-order {AS_DATASET}: that order)."
            )
        return unknown("class", label, written, where=where, hint=hint)


def normalised_name(name: str) -> str:
    """A name without case, and with single blanks for underscores, hyphens and blanks."""
    return re.sub(r"[\s_-]+", " ", normalised(name)).strip().casefold()


def _index(pairs: Iterable[tuple[str, str]]) -> Names:
    index: dict[str, set[str]] = {}
    for name, meant in pairs:
        index.setdefault(normalised_name(name), set()).add(meant)
    return index


@lru_cache(maxsize=1)
def _lemmas() -> tuple[tuple[str, str], ...]:
    """(wnid, its names in WordNet, separated by commas), from the list that timm ships; empty without it."""
    timm = source_path("timm")  # finds its folder without importing it
    path = timm.parent / LEMMAS if timm else None
    if path is None or not path.is_file():
        return ()
    return tuple(_entries(path.read_text(encoding="utf-8")))


def _entries(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        wnid, _, names = line.partition("\t")
        yield wnid, names
