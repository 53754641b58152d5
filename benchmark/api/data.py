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
from ddbench.plugins.registry import Kind, entries, load
from ddbench.types import DataFacts, Dataset, ImageView, Network, Protocol

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
    return {"dataset": f"{how}; {RULE}", **_views(dataset)}


def _views(dataset: Dataset) -> dict[str, str]:
    """Protocol -> how it has test images decoded, for those that do not take the dataset's own; where that depends on
    the network that is judged, a line for each way, with its networks behind the name of the protocol."""
    views: dict[str, str] = {}
    facts = DataFacts(dataset.name, dataset.classes, dataset.shape, light=True)
    networks = {name: one for name in entries("arch") if isinstance(one := _loaded("arch", name), Network)}
    for name in entries("protocol"):
        protocol = _loaded("protocol", name)
        if not isinstance(protocol, Protocol):
            continue
        if view := protocol.test_view():
            views[name] = _told(view)
            continue
        ways: dict[str, list[str]] = {}
        for arch, network in networks.items():
            if view := protocol.view_of(facts, network):
                ways.setdefault(_told(view), []).append(arch)
        for how, archs in ways.items():
            views[name if len(ways) == 1 else f"{name} with {', '.join(archs)}"] = how
    return views


def _loaded(kind: Kind, name: str) -> Any:
    """What is registered under a name; None where it cannot be imported, which `bench list` shows."""
    try:
        return load(kind, name)
    except BenchError:
        return None


def _told(view: ImageView) -> str:
    crop = f"then the central {view.side} x {view.side} px"
    return f"test images: the shorter side to {view.shorter} px, {view.filter}, {crop}, as torchvision"
