"""What a caption must say of protocols and methods besides their names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

LABELS = {
    "hard": "hard labels",
    "teacher": "soft labels of a pretrained teacher: external knowledge",
    "set": "soft labels that the distilled set carries",
}
"""words for what a protocol says that classifiers learn from"""


@dataclass(frozen=True)
class Facts:
    """What is known of names; a name that is in no mapping is passed over in silence."""

    labels: Mapping[str, str] = field(default_factory=dict)
    """protocol -> ``hard``, ``teacher`` or ``set``"""
    knowledge: Mapping[str, str] = field(default_factory=dict)
    """method -> what it knows from outside the train split"""
    views: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(split, protocol) -> how its test images were decoded from their files, or that they were not"""
    earlier: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    """(split, protocol) -> what its records hold in an earlier version than the code, such as ``dm@1 (now dm@2)``"""

    def place(self, split: str, protocol: str) -> str:
        """``Split s/test, protocol p@1 (hard labels).``, and what is of an earlier version."""
        about = "; ".join(filter(None, (LABELS.get(self.labels.get(protocol, "")), self.views.get((split, protocol)))))
        earlier = ", ".join(self.earlier.get((split, protocol), ()))
        told = f" Of an earlier version: {earlier}." if earlier else ""
        return f"Split {split}, protocol {protocol}{f' ({about})' if about else ''}.{told}"

    def outside(self, methods: Iterable[str]) -> str:
        """A sentence on what ``methods`` know from elsewhere, or nothing."""
        by_source: dict[str, list[str]] = {}
        for method in methods:
            if self.knowledge.get(method):
                by_source.setdefault(self.knowledge[method], []).append(method)
        told = "; ".join(f"{', '.join(names)}: {source}" for source, names in by_source.items())
        return f" External knowledge of methods: {told}." if told else ""
