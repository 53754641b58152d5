"""What captions say of images that sets share with the judged split or with one another, or hold twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

MUCH = 0.25
"""share of images in common from which captions speak of it"""


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


def alike_told(shares: Mapping[str, float]) -> str:
    """A sentence, after a blank, on the methods whose sets have many images in common; empty for none."""
    named = [f"{method} ({100 * share:.0f} % of the images)" for method, share in shares.items() if share >= MUCH]
    if not named:
        return ""
    return (
        f" Sets of one method that share images, so that ± is that of less than independent sets: {', '.join(named)}."
    )


def shared_images(a: tuple[str, ...], b: tuple[str, ...], least: int) -> float:
    """The share of images that two sets of one size have in common, by their digests, of which each gives the ``least``
    smallest: exact for sets of so many images or fewer, else an estimate (Broder 1997, min-wise hashing)."""
    union = sorted({*a, *b})[:least] if len(a) >= least or len(b) >= least else sorted({*a, *b})
    both = sum(value in a and value in b for value in union)
    jaccard = both / len(union) if union else 0.0
    return 2 * jaccard / (1 + jaccard)
