"""The rules of `bench check` for datasets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import get_args

from ddbench.conformance.checks import Check
from ddbench.conformance.travel import lost_on_the_way
from ddbench.errors import BenchError, InvalidOutput
from ddbench.images import LabeledImages
from ddbench.isolation.guard import guarded
from ddbench.stages.inputs import load_split
from ddbench.types import Dataset, Split

SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass
class DatasetUnderTest:
    """A dataset, its splits loaded once as a stage loads them."""

    dataset: Dataset
    elsewhere: Callable[[Sequence[Split]], dict[str, list[str]]] = lambda splits: {}
    """split -> digest of its images and fingerprint, in another process"""
    loaded: dict[Split, LabeledImages] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    """what loading changed of the state of this process, which was put back"""

    def split(self, split: Split) -> LabeledImages:
        """The images of a split. Raises BenchError and InvalidOutput, and what the dataset raises."""
        if split not in self.loaded:
            self.loaded[split] = self.again(split)
        return self.loaded[split]

    def again(self, split: Split) -> LabeledImages:
        """The images of a split, loaded anew."""
        with guarded() as guard:
            try:
                images = load_split(self.dataset, split)
            finally:
                guard.put_back()
                self.changed += [change for change in guard.changes if change not in self.changed]
        return images


def _travels(subject: DatasetUnderTest) -> str:
    return lost_on_the_way(subject.dataset)


def _format(subject: DatasetUnderTest) -> str:
    for split in SPLITS:
        try:
            images = subject.split(split)
        except (InvalidOutput, BenchError) as error:
            return f"{split}: {error}"
        counts = images.labels.bincount(minlength=len(images.classes)).tolist()
        for name, count in zip(images.classes, counts, strict=True):
            if not count:
                return f"the {split} split has no image of the class {name!r}"
    return ""


def _apart(subject: DatasetUnderTest) -> str:
    digests = {split: _digests(subject.split(split)) for split in SPLITS}
    for one, other in (("train", "test"), ("train", "validation"), ("validation", "test")):
        places = {digest: place for place, digest in enumerate(digests[one])}  # type: ignore[index]
        both = [(places[d], place) for place, d in enumerate(digests[other]) if d in places]  # type: ignore[index]
        if both:
            first, second = both[0]
            return f"{len(both)} images of {other} are in {one} too: image {second} is image {first} of {one}"
    return ""


def _digests(images: LabeledImages) -> list[bytes]:
    return [hashlib.sha256(image.contiguous().numpy().tobytes()).digest() for image in images.images]


def _same(subject: DatasetUnderTest) -> str:
    for split in SPLITS:
        if subject.split(split).digest() != subject.again(split).digest():
            return f"loading {split} twice gives different images"
    return ""


def _other_process(subject: DatasetUnderTest) -> str:
    found = subject.elsewhere(SPLITS)
    for split in SPLITS:
        digest, fingerprint = found[split]
        if digest != subject.split(split).digest():
            return f"another process loads other images of {split}"
        if fingerprint != subject.dataset.fingerprint(split):
            return f"another process gives {split} another fingerprint"
    return ""


def _process_state(subject: DatasetUnderTest) -> str:
    for split in SPLITS:
        subject.split(split)
    return f"loading changes {'; '.join(subject.changed)}" if subject.changed else ""


DATASET_CHECKS = (
    Check(
        "travels to workers",
        _travels,
        "make it a frozen dataclass at the top of a module, its fields numbers, strings, tuples or such dataclasses",
        first=True,
    ),
    Check(
        "format",
        _format,
        "return LabeledImages for train, validation and test: uint8 images, as many of each class as train_counts() "
        "says, of the declared shape and classes; round and clamp floats to 0..255 yourself",
        first=True,
    ),
    Check("splits apart", _apart, "no image may be trained on and judged: leave each in one split"),
    Check("same images", _same, "sort listings, and draw what is random from seeding.generator(NAME, split)"),
    Check(
        "another process",
        _other_process,
        "hash(), the order of a set, the working folder, HOME, time zone, locale, host and clock differ between "
        "processes: sort listings, and let images and fingerprints depend on the files alone",
    ),
    Check("process state", _process_state, "change nothing that others in the process share, or put it back"),
)
