"""What captions say of images that sets share with the judged split, or hold twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class SetCopies:
    """Images of the sets of a method, by what else they are (``run["copies"]`` of records)."""

    images: int = 0
    """all of them"""
    equal: int = 0
    """equal to a judged image, and to no train image"""
    near: int = 0
    """nearly equal to a judged image, and to no train image as near"""
    in_both: int = 0
    """judged images that are train images too"""
    repeated: int = 0
    """equal to an earlier image of their set"""

    def __add__(self, other: SetCopies) -> SetCopies:
        return SetCopies(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


TOLD: Mapping[str, Callable[[SetCopies], int]] = {
    "Copies of judged images, judged all the same": lambda found: found.equal + found.near,
    "Train images that are judged images too": lambda found: found.in_both,
    "Images that repeat another of their set": lambda found: found.repeated,
}
"""words of a caption -> what they count"""


def copies_told(found: Mapping[str, SetCopies]) -> str:
    """A sentence for each kind of which there are any, method by method, each after a blank; empty for none."""
    sentences = []
    for words, count in TOLD.items():
        named = [f"{method} ({count(one)} of {one.images} images)" for method, one in found.items() if count(one)]
        if named:
            sentences.append(f" {words}: {', '.join(named)}.")
    return "".join(sentences)
