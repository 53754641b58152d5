"""From uint8 images to what a network sees: the resizing, normalisation and augmentation of a protocol."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch

from ddbench.evaluators.augment import augment, enlarge, random_shift
from ddbench.evaluators.crops import resize_and_crop
from ddbench.evaluators.recipe import Recipe
from ddbench.evaluators.siamese import augment_one
from ddbench.learning.colours import normalise
from ddbench.levels import spread
from ddbench.types import Shape

PREPARED_VALUES = 2**27
"""float32 values, 512 MiB: images that are more when prepared stay uint8 and are prepared batch by batch"""


class Prepared:
    """uint8 images (N, C, H, W) after ``prepare``, which must treat images independently. Computed once where the
    result has at most ``PREPARED_VALUES`` values, else at each access; the numbers are the same."""

    def __init__(self, images: torch.Tensor, prepare: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self.images, self.prepare, self.floats = images, prepare, None
        channels, height, width = prepare(images[:1]).shape[1:]
        self.shape: Shape = (channels, height, width)
        if len(images) * channels * height * width <= PREPARED_VALUES:
            self.floats = torch.cat([prepare(part) for part in images.split(256)])

    def __getitem__(self, index: torch.Tensor | slice) -> torch.Tensor:
        """Float (n, *shape) of the images at ``index``."""
        return self.prepare(self.images[index]) if self.floats is None else self.floats[index]


class View(ABC):
    """The train images on the device, and the transforms of train and of judged images."""

    shape: Shape
    """of the network's input"""
    judged_at_once: int
    """batch size for the judged split"""

    @abstractmethod
    def train(self, index: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        """The train images at ``index``, augmented: float (n, *shape)."""

    @abstractmethod
    def test(self, images: torch.Tensor) -> torch.Tensor:
        """Judged images, uint8 (n, C, H, W) on the device, as the network's input: float (n, *shape)."""


def make_view(recipe: Recipe, images: torch.Tensor, device: str, decoded: bool = False) -> View:
    """The view of ``recipe`` on the train images, uint8 (N, C, H, W).

    ``decoded``: judged images come as ``recipe.test_view()`` says, so that they are normalised and not resized again.
    Raises ValueError for options that do not fit each other or the images.
    """
    if recipe.augmentation is not None and recipe.augmentation.colours and images.shape[1] != 3:
        raise ValueError(f"this protocol changes colours of RGB images, these have {images.shape[1]} channels")
    if recipe.side:
        return Cropped(recipe, images.to(device), decoded)
    return Whole(recipe, images.to(device))


class Whole(View):
    """Small images at their own size."""

    judged_at_once = 512

    def __init__(self, recipe: Recipe, images: torch.Tensor) -> None:
        self.recipe = recipe
        self.scale = scaling(recipe, images)
        if recipe.augmentation is not None:
            raise ValueError("a protocol with an augmentation needs the side at which it works")
        self.operations = tuple(filter(None, recipe.siamese.split("_")))
        self.images = Prepared(images, self.test)
        self.shape = self.images.shape

    def train(self, index: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        x = random_shift(self.images[index.to(self.images.images.device)], self.recipe.shift, random)
        return augment_one(x, self.operations, random) if self.operations else x

    def test(self, images: torch.Tensor) -> torch.Tensor:
        return enlarge(self.scale(images.float() / 255), self.recipe.min_side)


class Cropped(View):
    """Images resized and cropped to a fixed side, then augmented."""

    judged_at_once = 64  # ConvNet-6 at 224 px holds 1.6 GB for each activation of its first block

    def __init__(self, recipe: Recipe, images: torch.Tensor, decoded: bool = False) -> None:
        self.recipe, self.decoded = recipe, decoded
        self.scale = scaling(recipe, images)
        self.images = Prepared(images, lambda part: resize_and_crop(part.float() / 255, recipe.side, recipe.side))
        self.shape = self.images.shape

    def train(self, index: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        recipe = self.recipe
        x = self.images[index.to(self.images.images.device)]
        if recipe.shift:
            x = random_shift(x, recipe.shift, random)
        if recipe.augmentation is not None:
            x = augment(x, recipe.augmentation, random)
        return self.scale(x)

    def test(self, images: torch.Tensor) -> torch.Tensor:
        recipe, x = self.recipe, images.float() / 255
        if not self.decoded:
            x = resize_and_crop(x, recipe.test_resize or recipe.side, recipe.side)
        return self.scale(x)


class _Own:
    """[0, 1] -> mean 0 and standard deviation 1 in each channel, by the moments of the train images; a constant channel
    (``levels.spread``) only loses its mean."""

    def __init__(self, images: torch.Tensor) -> None:
        counts = _histogram(images).double()
        values, n = torch.arange(256, dtype=torch.float64) / 255, counts.sum(1, keepdim=True)
        mean = (counts * values).sum(1, keepdim=True) / n
        std = ((counts * (values - mean) ** 2).sum(1) / (n[:, 0] - 1)).sqrt().float()
        self.mean = mean.float()[:, :, None].to(images.device)
        own = [spread(value, full=1.0) for value in std.tolist()]
        self.std = torch.tensor(own, dtype=torch.float32)[:, None, None].to(images.device)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        return (images - self.mean) / self.std


def _histogram(images: torch.Tensor) -> torch.Tensor:
    """Counts of the 256 values in each channel of uint8 images (N, C, H, W): int64 (C, 256), on the CPU.

    In parts, so that large sets are never held as floats.
    """
    counts = torch.zeros(images.shape[1], 256, dtype=torch.int64)
    for part in images.split(1024):
        counts += torch.stack([channel.flatten().bincount(minlength=256) for channel in part.transpose(0, 1)]).cpu()
    return counts


def scaling(recipe: Recipe, images: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    """The normalisation of ``recipe``, of floats in [0, 1]. Raises ValueError for constants of other channels."""
    if recipe.mean:
        if len(recipe.mean) != images.shape[1]:
            raise ValueError(f"mean has {len(recipe.mean)} values, the images have {images.shape[1]} channels")
        mean, sd = (torch.tensor(v, device=images.device)[:, None, None] for v in (recipe.mean, recipe.sd))
        return lambda x: (x - mean) / sd
    return normalise if recipe.normalisation == "imagenet" else _Own(images)
