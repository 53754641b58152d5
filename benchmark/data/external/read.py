"""Reading distilled sets that other code made from a folder, and checking them against their dataset."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ddbench.data.decode import Resize
from ddbench.data.external import folder as image_folder
from ddbench.data.external import table
from ddbench.data.external.folder import ExternalImage
from ddbench.data.imagefile import normalised, opened
from ddbench.data.imagefolder import ImageFolder
from ddbench.errors import BenchError, unknown
from ddbench.images import MODES, wrong_distribution
from ddbench.types import Dataset, LabeledImages

if TYPE_CHECKING:
    import torch
    from PIL import Image


def read_external(folder: Path, dataset: Dataset, resize: bool) -> LabeledImages:
    """The images in ``folder`` as a distilled set of ``dataset``, ordered by its classes, then as in the folder.

    ``folder``: a folder of images for each class, named as the class; images with a ``metadata.jsonl``; a saved Hugging
    Face dataset; or parquet files. ``resize``: whether images of another size are resized, as the dataset resizes its
    own. Raises BenchError for unknown or missing classes, unequal counts, other sizes, and what cannot be read.
    """
    if not folder.is_dir():
        raise BenchError(f"there is no folder {folder}. Name one that holds a distilled set.")
    read = table.read if table.is_table(folder) else image_folder.read
    images = read(folder)
    if not images:
        raise BenchError(
            f"{folder} holds no images. It must hold a folder of images for each class of {dataset.name}, named as the "
            "class, or a Hugging Face dataset."
        )
    classes = _classes_of(folder, images, dataset)
    _check_counts(folder, images, classes, dataset)
    order = sorted(range(len(images)), key=lambda i: dataset.classes.index(classes[images[i].label]))
    return _as_set([images[i] for i in order], classes, dataset, _resize(dataset) if resize else None)


def _classes_of(folder: Path, images: Sequence[ExternalImage], dataset: Dataset) -> dict[str, str]:
    """Label as written -> class of the dataset. Raises BenchError for an unknown one."""
    known = _names(dataset)
    classes: dict[str, str] = {}
    for image in images:
        if image.label in classes:
            continue
        if _normalised(image.label) not in known:
            written = [*dataset.classes, *dataset.aliases()]
            hint = f"The classes of {dataset.name} are {', '.join(written[:3])}, ..."
            if image.label.isdigit():
                hint = f"A class is known by its name, never by a number: {hint[0].lower()}{hint[1:]}"
            raise unknown("class", image.label, written, where=f"{folder} ({image.where})", hint=hint)
        classes[image.label] = known[_normalised(image.label)]
    return classes


def _names(dataset: Dataset) -> dict[str, str]:
    """Normalised name -> class of the dataset; the name of a class takes precedence over an alias of another."""
    aliases = {_normalised(alias): name for alias, name in dataset.aliases().items()}
    return aliases | {_normalised(name): name for name in dataset.classes}


def _normalised(name: str) -> str:
    """A name without case, and with single blanks for underscores, hyphens and blanks."""
    return re.sub(r"[\s_-]+", " ", normalised(name)).strip().casefold()


def _check_counts(folder: Path, images: Sequence[ExternalImage], classes: Mapping[str, str], dataset: Dataset) -> None:
    counts = Counter(classes[image.label] for image in images)
    missing = [name for name in dataset.classes if name not in counts]
    if missing:
        raise BenchError(
            f"{folder} has no images of {len(missing)} of the {len(dataset.classes)} classes of {dataset.name}: "
            f"{', '.join(missing[:3])}{', ...' if len(missing) > 3 else ''}. A distilled set has all classes."
        )
    (usual, _), *_ = Counter(counts.values()).most_common()
    odd = next(((name, n) for name, n in counts.items() if n != usual), None)
    if odd:
        raise BenchError(
            f"{folder}: class {odd[0]} has {odd[1]} images, others have {usual}. A distilled set has as many of every "
            "class: that number is its IPC."
        )


def _resize(dataset: Dataset) -> Resize:
    """The way in which ``dataset`` resizes its own images."""
    if isinstance(dataset, ImageFolder):
        return Resize(dataset.resolution, dataset.resize, dataset.interpolation)
    return Resize(dataset.shape[1], "crop", "bicubic")


def _as_set(
    images: Sequence[ExternalImage], classes: Mapping[str, str], dataset: Dataset, resize: Resize | None
) -> LabeledImages:
    import numpy as np
    import torch

    channels, height, width = dataset.shape
    pixels = np.empty((len(images), height, width, channels), dtype=np.uint8)
    for i, image in enumerate(images):
        opened_image = opened(image.where, image.content(), MODES[channels], opaque=True)
        pixels[i] = np.asarray(_sized(image, opened_image, dataset, resize)).reshape(height, width, channels)
    labels = torch.tensor([dataset.classes.index(classes[image.label]) for image in images])
    return LabeledImages(
        images=torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy()),
        labels=labels,
        classes=dataset.classes,
        soft=_soft(images, dataset),
    )


def _sized(image: ExternalImage, opened_image: Image.Image, dataset: Dataset, resize: Resize | None) -> Image.Image:
    _, height, width = dataset.shape
    if opened_image.size == (width, height):
        return opened_image
    if resize is None:
        setting = f" or load the dataset at that size with --set data.{dataset.name}.resolution={opened_image.height}"
        raise BenchError(
            f"{image.where} is {opened_image.width} x {opened_image.height} pixels, the images of {dataset.name} are "
            f"{width} x {height} here. Add --resize to bring it to that size"
            f"{setting if isinstance(dataset, ImageFolder) and opened_image.width == opened_image.height else ''}."
        )
    return resize(opened_image)


def _soft(images: Sequence[ExternalImage], dataset: Dataset) -> torch.Tensor | None:
    """Soft labels, float32 (N, K), in the order of the dataset's classes; None when no image has any."""
    import torch

    if not any(image.soft for image in images):
        return None
    known = _names(dataset)
    place = {name: i for i, name in enumerate(dataset.classes)}
    rows = torch.zeros(len(images), len(place), dtype=torch.float32)
    for row, image in zip(rows, images, strict=True):
        if not image.soft:
            raise BenchError(f"{image.where} has no soft label, other images of the set have. Give all or none.")
        for name, share in image.soft.items():
            if _normalised(name) not in known:
                raise unknown("class", name, place, where=f"the soft label of {image.where}")
            row[place[known[_normalised(name)]]] = share
        if wrong := wrong_distribution(row.tolist()):
            raise BenchError(f"the soft label of {image.where} {wrong}.")
    return rows
