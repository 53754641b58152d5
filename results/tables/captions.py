"""The wording that captions share: protocols and methods, epochs, spreads, p values and intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ddbench.results.statistics import Select
from ddbench.results.statistics.intervals import CONFIDENCE
from ddbench.results.statistics.paired import Comparison
from ddbench.results.tables.copies import SetCopies, alike_told, copies_told

Spread = Literal["sd", "ci"]
"""what ± is: the sample standard deviation, or half of the 95 % interval"""

LABELS = {
    "hard": "hard labels",
    "teacher": "soft labels of a pretrained teacher: external knowledge",
    "trained": "soft labels of a teacher that the study trains on the whole train split",
    "set": "soft labels that the distilled set carries",
    "stored": "soft labels of a teacher, stored for each view of the distilled set: external knowledge",
}
"""label type of a protocol -> its words in a caption"""

LARGER_P = "the larger p of the t test over distilled sets and the exact sign-flip test over judged images"
ONE_SET = "Not tested, one set: a single set does not tell how much sets of a method differ."


SHARED = {"prior": "the prior", "fit": "the fine-tuning", "embed": "the embedder", "teacher": "the teacher"}
"""kind of stage -> its words in a caption"""
MARK = "*"
"""behind the name of a method that differs from its source"""
MOST = 3
"""differences of a method that a caption names"""


@dataclass(frozen=True)
class CaptionFacts:
    """What is known of protocols and methods by name; captions say nothing of a name that is in no mapping."""

    labels: Mapping[str, str] = field(default_factory=dict)
    """protocol -> a key of ``LABELS``: ``hard``, ``teacher``, ``trained``, ``set`` or ``stored``"""
    knowledge: Mapping[str, str] = field(default_factory=dict)
    """method -> its sources of knowledge besides the train split"""
    differs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """method -> what its records do otherwise than the authors' code, by its fidelity card; such a row is marked"""
    shared: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """method -> kinds of stage that were made once for several sets, so that ± over sets does not hold them"""
    views: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(split, protocol) -> how its test images were decoded from their files, or that they were not"""
    judges: Mapping[tuple[str, str], Mapping[str, Sequence[str]]] = field(default_factory=dict)
    """(split, protocol) -> protocol or arch -> what it does otherwise than its source, by its fidelity card; marked"""
    earlier: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    """(split, protocol) -> what its records hold in an earlier version than the code, such as ``dm@1 (now dm@2)``"""
    copies: Mapping[tuple[str, str], Mapping[str, SetCopies]] = field(default_factory=dict)
    """(split, protocol) -> method -> images of its sets that are judged images, or others of the set"""
    alike: Mapping[tuple[str, str], Mapping[str, float]] = field(default_factory=dict)
    """(split, protocol) -> method -> share of images that two of its sets have in common, on average"""
    checked: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(split, protocol) -> what the check of its images counted and a reader must know, such as duplicates"""
    hardware: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    """(split, protocol) -> what its stages ran on, where a card was among it"""

    def place(self, split: str, protocol: str) -> str:
        """``Split s/test, protocol p@1 (hard labels).``, and what of the judges is of an earlier version or differs
        from its source."""
        place = (split, protocol)
        known = (LABELS.get(self.labels.get(protocol, "")), self.views.get(place), self.checked.get(place))
        about = "; ".join(filter(None, known))
        earlier = ", ".join(self.earlier.get(place, ()))
        told = f" Of an earlier version: {earlier}." if earlier else ""
        differs = self.judges.get((split, protocol), {})
        if differs:
            told += f" Judges with {MARK} differ from their sources (`bench info NAME`): {_by_items(differs)}."
        name = f"{protocol}{MARK}" if protocol in differs else protocol
        told += ran_on(self.hardware.get(place, ()))
        told += copies_told(self.copies.get((split, protocol), {}))
        told += alike_told(self.alike.get((split, protocol), {}))
        return f"Split {split}, protocol {name}{f' ({about})' if about else ''}.{told}"

    def arch(self, name: str, split: str, protocol: str) -> str:
        """The arch as a table shows it: ``resnet18*`` where it differs from its source."""
        return f"{name}{MARK}" if name in self.judges.get((split, protocol), {}) else name

    def name(self, method: str) -> str:
        """The method as a table shows it: ``igd*`` where it differs from its source."""
        return f"{method}{MARK}" if self.differs.get(method) else method

    def notes(self, methods: Iterable[str]) -> str:
        """Sentences on ``methods``: their external knowledge, and what they do otherwise than their authors' code."""
        named = list(dict.fromkeys(methods))
        return self._outside(named) + self._shared(named) + self._differing(named)

    def _shared(self, methods: Iterable[str]) -> str:
        by_kinds: dict[str, list[str]] = {}
        for method in methods:
            if kinds := self.shared.get(method):
                by_kinds.setdefault(" and ".join(SHARED[kind] for kind in kinds), []).append(method)
        told = "; ".join(f"{kinds} of {', '.join(names)}" for kinds, names in by_kinds.items())
        return f" Made once for all sets, so not in ±: {told}." if told else ""

    def _differing(self, methods: Iterable[str]) -> str:
        told = _by_items({method: self.differs.get(method, ()) for method in methods})
        return f" {MARK} differs from its source (`bench info NAME`): {told}." if told else ""

    def _outside(self, methods: Iterable[str]) -> str:
        by_source: dict[str, list[str]] = {}
        for method in methods:
            if self.knowledge.get(method):
                by_source.setdefault(self.knowledge[method], []).append(method)
        told = "; ".join(f"{', '.join(names)}: {source}" for source, names in by_source.items())
        return f" External knowledge of methods: {told}." if told else ""


def _by_items(differs: Mapping[str, Sequence[str]]) -> str:
    """``a, b in learning rate and 2 more; c in prior``: names together that differ in the same items."""
    by_items: dict[str, list[str]] = {}
    for name, items in differs.items():
        if items:
            more = f" and {len(items) - MOST} more" if len(items) > MOST else ""
            by_items.setdefault(f"{', '.join(items[:MOST])}{more}", []).append(name)
    return "; ".join(f"{', '.join(names)} in {items}" for items, names in by_items.items())


def ran_on(hardware: Sequence[str]) -> str:
    """`` Ran on NVIDIA H200 (driver 580.95.05, CUDA 13.0).``, or several; empty for none."""
    if len(hardware) < 2:
        return f" Ran on {hardware[0]}." if hardware else ""
    return f" Ran on several kinds of hardware: {', '.join(hardware[:-1])} and {hardware[-1]}."


def different_hardware(a: Sequence[str], b: Sequence[str]) -> str:
    """A sentence where two sides of a comparison ran on different hardware, else empty."""
    if set(a) == set(b) or not a or not b:
        return ""
    return (
        f" A ran on {' and '.join(a)}, B on {' and '.join(b)}: results of different hardware differ in their last "
        "bits, which training carries into accuracies."
    )


def interval_words(comparisons: Sequence[Comparison]) -> str:
    """How the intervals of comparisons that were made together are corrected, with their confidence."""
    confidences = sorted({one.confidence for one in comparisons if one.sets > 1})
    if len(confidences) < 2:
        return f"Interval: {_confidence(*(confidences or [CONFIDENCE]))} t interval over distilled sets"
    return (
        "Interval: t interval over distilled sets, corrected as p is: at the confidence at which Holm tests the row, "
        f"{_confidence(confidences[0])} to {_confidence(confidences[-1])}"
    )


def _confidence(value: float) -> str:
    """``99.2 %``"""
    return f"{100 * value:.3g} %"


def epoch(select: Select) -> str:
    return "at the last epoch" if select == "last" else "at the best epoch, chosen on these images (optimistic)"


def spread_words(spread: Spread) -> str:
    return "sample standard deviation" if spread == "sd" else "half of the 95 % t interval"
