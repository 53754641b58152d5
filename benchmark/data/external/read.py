"""Reading distilled sets that other code made from a folder or file, and checking them against their dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ddbench.data.decode import Resize
from ddbench.data.external import folder as image_folder
from ddbench.data.external import table
from ddbench.data.external.folder import ExternalImage
from ddbench.data.external.levels import Normalisation
from ddbench.data.external.names import ClassNames, ClassOrder, read_order
from ddbench.data.external.tensors import ARCHIVES, PICKLED, Say, is_tensors
from ddbench.data.external.tensors import read as read_tensors
from ddbench.data.huggingface import HuggingFace
from ddbench.data.imagefile import is_hidden, is_image, opened
from ddbench.data.imagefolder import ImageFolder
from ddbench.errors import BenchError
from ddbench.images import MODES, wrong_distribution
from ddbench.types import Dataset, LabeledImages

if TYPE_CHECKING:
    import torch
    from PIL import Image


@dataclass(frozen=True)
class Reading:
    """How sets are read: what is done with their images, and what their files do not say."""

    resize: bool = False
    """whether images of another size are resized, as the dataset resizes its own"""
    class_order: str | None = None
    """which class a number means: see ``names.read_order``"""
    normalisation: Normalisation | None = None
    """what floats were normalised with"""


@dataclass(frozen=True)
class ExternalSet:
    """A distilled set that other code made."""

    images: LabeledImages
    where: str
    """for messages: its folder or file, with the experiment"""
    clipped: float | None = None
    """share of the values of a file of tensors that lay outside [0, 1]; None for image files"""


def holds_set(folder: Path) -> bool:
    """Whether ``folder`` itself is a distilled set by its layout, not a folder around one."""
    if (folder / image_folder.METADATA).is_file() or table.is_table(folder) or is_tensors(folder):
        return True
    inner = [path for path in folder.iterdir() if path.is_dir() and not is_hidden(path.name)]
    return bool(inner) and all(any(is_image(path.name) for path in one.iterdir()) for one in inner)


def read_sets(path: Path, dataset: Dataset, reading: Reading, say: Say) -> list[ExternalSet]:
    """The images in ``path`` as distilled sets of ``dataset``, ordered by its classes, then as they came.

    ``path``: a folder of images for each class, named as the class, or by its number with a class order; images with a
    ``metadata.jsonl``; a saved Hugging Face dataset; parquet files; or a file of tensors (``tensors``), which may hold
    several sets. Nothing in them is run. Raises BenchError for unknown or missing classes, unequal counts, other
    sizes, what has to be stated and is not, and what cannot be read.
    """
    if not path.exists():
        raise BenchError(f"there is no folder or file {path}. Name one that holds a distilled set.")
    order = read_order(reading.class_order, dataset)
    if is_tensors(path):
        found = read_tensors(path, dataset, order, reading.normalisation, say)
        names = [f"{path}, experiment {i}" if len(found) > 1 else str(path) for i in range(len(found))]
        return [
            ExternalSet(_ordered(name, one.images, dataset, reading, order), name, one.clipped)
            for name, one in zip(names, found, strict=True)
        ]
    if not path.is_dir():
        raise BenchError(
            f"{path} is no distilled set: a folder of images for each class is meant, a Hugging Face dataset, or a "
            f"file of tensors ({', '.join((*PICKLED, *ARCHIVES))})."
        )
    if reading.normalisation:
        raise BenchError(f"--mean and --sd are for files of tensors; {path} holds image files.")
    is_table = table.is_table(path)
    images = table.read(path, numbered=order is not None) if is_table else image_folder.read(path)
    if not images:
        raise BenchError(
            f"{path} holds no images. It must hold a folder of images for each class of {dataset.name}, named as the "
            "class, a Hugging Face dataset, or a file of tensors."
        )
    if order and not any(image.label.isdecimal() for image in images):
        say(f"{path} names its classes: --class-order is not used")
    return [ExternalSet(_ordered(str(path), images, dataset, reading, order), str(path))]


def _ordered(
    where: str, images: Sequence[ExternalImage], dataset: Dataset, reading: Reading, order: ClassOrder | None
) -> LabeledImages:
    names = ClassNames(dataset, order)
    classes: dict[str, str] = {}
    for image in images:
        if image.label not in classes:
            classes[image.label] = names.of(image.label, f"{where} ({image.where})")
    _check_counts(where, images, classes, dataset)
    place = {name: i for i, name in enumerate(dataset.classes)}
    ordered = sorted(images, key=lambda image: place[classes[image.label]])
    return _as_set(ordered, classes, dataset, _resize(dataset) if reading.resize else None, names)


def _check_counts(folder: str, images: Sequence[ExternalImage], classes: Mapping[str, str], dataset: Dataset) -> None:
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
    if isinstance(dataset, ImageFolder | HuggingFace):
        return Resize(dataset.resolution, dataset.resize, dataset.interpolation)
    return Resize(dataset.shape[1], "crop", "bicubic")


def _as_set(
    images: Sequence[ExternalImage],
    classes: Mapping[str, str],
    dataset: Dataset,
    resize: Resize | None,
    names: ClassNames,
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
        soft=_soft(images, dataset, names),
    )


def _sized(image: ExternalImage, opened_image: Image.Image, dataset: Dataset, resize: Resize | None) -> Image.Image:
    _, height, width = dataset.shape
    if opened_image.size == (width, height):
        return opened_image
    if resize is None:
        sized = isinstance(dataset, ImageFolder | HuggingFace) and opened_image.width == opened_image.height
        setting = f" or load the dataset at that size with --set data.{dataset.name}.resolution={opened_image.height}"
        raise BenchError(
            f"{image.where} is {opened_image.width} x {opened_image.height} pixels, the images of {dataset.name} are "
            f"{width} x {height} here. Add --resize to bring it to that size"
            f"{setting if sized else ''}."
        )
    return resize(opened_image)


def _soft(images: Sequence[ExternalImage], dataset: Dataset, names: ClassNames) -> torch.Tensor | None:
    """Soft labels, float32 (N, K), in the order of the dataset's classes; None when no image has any."""
    import torch

    if not any(image.soft for image in images):
        return None
    place = {name: i for i, name in enumerate(dataset.classes)}
    known: dict[str, int] = {}
    rows = torch.zeros(len(images), len(place), dtype=torch.float32)
    for row, image in zip(rows, images, strict=True):
        if not image.soft:
            raise BenchError(f"{image.where} has no soft label, other images of the set have. Give all or none.")
        for name, share in image.soft.items():
            if name not in known:
                known[name] = place[names.of(name, f"the soft label of {image.where}")]
            row[known[name]] += share
        if wrong := wrong_distribution(row.tolist()):
            raise BenchError(f"the soft label of {image.where} {wrong}.")
    return rows
