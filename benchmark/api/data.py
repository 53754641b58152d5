"""What a dataset holds and how its pixels are made, for ``bench data``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ddbench.config.schema import load_config
from ddbench.config.study import configured_dataset
from ddbench.data.huggingface import HuggingFace
from ddbench.data.imagefolder import ImageFolder
from ddbench.data.survey import Survey, survey
from ddbench.errors import BenchError, unknown
from ddbench.plugins.broken import BrokenDataset
from ddbench.plugins.files import absolute, load_plugins
from ddbench.plugins.registry import entries, load
from ddbench.types import Dataset, Protocol

RULE = (
    "converted to RGB by Pillow: the first frame or page, the colours of a palette, transparency dropped, CMYK without "
    "a profile, the upper 8 of 16 bits; a turn that EXIF asks for is not made"
)
"""``data.imagefile`` in a line"""


@dataclass(frozen=True)
class DataSurvey:
    """What ``bench data`` prints."""

    found: Survey
    pixels: Mapping[str, str]
    """of whom -> how its pixels are made: ``dataset``, and each protocol that decodes judged images itself"""
    duplicates: str
    """what becomes of test images that are train images too: refuse, drop, allow"""

    @property
    def usable(self) -> bool:
        """Whether a study can use the dataset as it is."""
        refused = self.found.shared and self.duplicates == "refuse"
        return not (self.found.wrong or refused or any(split.broken for split in self.found.splits))

    def to_json(self) -> dict[str, Any]:
        return {
            **self.found.to_json(),
            "duplicates": self.duplicates,
            "pixels": dict(self.pixels),
            "usable": self.usable,
        }


def survey_data(
    name: str, *, config: str = "digits", plugins: Sequence[str] = (), assignments: Sequence[str] = ()
) -> DataSurvey:
    """Read every image of the dataset ``name`` with its options in the study ``config``.

    assignments: ``key=value`` on top of the study. Raises BenchError for an unknown name or option, and when there is
    no folder with classes.
    """
    files = absolute(plugins)
    load_plugins(files)
    named = {"plugins": files} if files else {}
    asked = load_config(config, {**named, "grid.datasets": [name]}, assignments)
    load_plugins(asked.plugins)
    if name not in (known := entries("dataset")):
        raise unknown("dataset", name, known)
    dataset = configured_dataset(name, asked)
    if isinstance(dataset, BrokenDataset):
        raise BenchError(dataset.reason)
    return DataSurvey(survey(dataset), _pixels(dataset), str(getattr(dataset, "duplicates", "")))


def _pixels(dataset: Dataset) -> dict[str, str]:
    if not isinstance(dataset, ImageFolder | HuggingFace):
        return {"dataset": "as the dataset gives them"}
    side = f"{dataset.resolution} x {dataset.resolution} px, {dataset.interpolation}"
    how = {
        "crop": f"the largest centred square (Pillow's ImageOps.fit), resized to {side}",
        "squash": f"both sides resized to {side}, whatever the aspect ratio",
    }[dataset.resize]
    return {"dataset": f"{how}; {RULE}", **_views()}


def _views() -> dict[str, str]:
    """Protocol -> how it has test images decoded, for those that do not take the dataset's own."""
    views = {}
    for name in entries("protocol"):
        try:
            protocol = load("protocol", name)
        except BenchError:  # a broken plug-in, which `bench list` shows
            continue
        view = protocol.test_view() if isinstance(protocol, Protocol) else None
        if view:
            crop = f"then the central {view.side} x {view.side} px"
            views[name] = f"test images: the shorter side to {view.shorter} px, {view.filter}, {crop}, as torchvision"
    return views
