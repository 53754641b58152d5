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

    def place(self, split: str, protocol: str) -> str:
        """``Split s/test, protocol p@1 (hard labels).``"""
        labels = LABELS.get(self.labels.get(protocol, ""))
        return f"Split {split}, protocol {protocol}{f' ({labels})' if labels else ''}."

    def outside(self, methods: Iterable[str]) -> str:
        """A sentence on what ``methods`` know from elsewhere, or nothing."""
        by_source: dict[str, list[str]] = {}
        for method in methods:
            if self.knowledge.get(method):
                by_source.setdefault(self.knowledge[method], []).append(method)
        told = "; ".join(f"{', '.join(names)}: {source}" for source, names in by_source.items())
        return f" External knowledge of methods: {told}." if told else ""
