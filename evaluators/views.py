"""How uint8 images reach a network: resizing, normalisation and augmentation as a protocol says."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from benchmark.types import Shape
from evaluators import colour
from evaluators.augment import augment, enlarge, random_shift
from evaluators.crops import resize_and_crop

if TYPE_CHECKING:
    from evaluators.protocols import HardLabels


class View(ABC):
    """The train images on the device, and both ways to look at images."""

    shape: Shape
    """of what the network sees"""
    judged_at_once: int
    """images in a batch of the judged split"""

    @abstractmethod
    def train(self, index: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        """The train images at ``index``, augmented: float (n, *shape)."""

    @abstractmethod
    def test(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 images (n, C, H, W) on the device, as the judged network sees them: float (n, *shape)."""


def make_view(protocol: HardLabels, images: torch.Tensor, device: str) -> View:
    """The view of ``protocol`` on the train images, uint8 (N, C, H, W). Raises ValueError for options that do not fit
    each other or the images."""
    rgb_only = protocol.normalisation == "imagenet" or protocol.augmentation is not None
    if rgb_only and images.shape[1] != 3:
        raise ValueError(f"this protocol augments or normalises RGB images, these have {images.shape[1]} channels")
    if protocol.side:
        return Cropped(protocol, images.to(device))
    return Whole(protocol, images.to(device))


class Whole(View):
    """Small images at their own size, prepared once."""

    judged_at_once = 512

    def __init__(self, protocol: HardLabels, images: torch.Tensor) -> None:
        self.protocol = protocol
        self.scale = scaling(protocol, images)
        if protocol.augmentation is not None:
            raise ValueError("a protocol with an augmentation needs the side at which it works")
        self.x = self.test(images)
        self.shape = (self.x.shape[1], self.x.shape[2], self.x.shape[3])

    def train(self, index: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        return random_shift(self.x[index.to(self.x.device)], self.protocol.shift, random)

    def test(self, images: torch.Tensor) -> torch.Tensor:
        return enlarge(self.scale(images.float() / 255), self.protocol.min_side)


class Cropped(View):
    """Images resized and cropped to a fixed side, batch by batch: large sets stay uint8 in memory."""

    judged_at_once = 64  # ConvNet-6 at 224 px holds 1.6 GB for each activation of its first block

    def __init__(self, protocol: HardLabels, images: torch.Tensor) -> None:
        self.protocol, self.images = protocol, images
        self.scale = scaling(protocol, images)
        self.shape = (images.shape[1], protocol.side, protocol.side)

    def train(self, index: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        protocol = self.protocol
        x = self.images[index.to(self.images.device)].float() / 255
        x = resize_and_crop(x, protocol.side, protocol.side)
        if protocol.shift:
            x = random_shift(x, protocol.shift, random)
        if protocol.augmentation is not None:
            x = augment(x, protocol.augmentation, random)
        return self.scale(x)

    def test(self, images: torch.Tensor) -> torch.Tensor:
        protocol = self.protocol
        x = resize_and_crop(images.float() / 255, protocol.test_resize or protocol.side, protocol.side)
        return self.scale(x)


class _Own:
    """[0, 1] -> mean 0 and standard deviation 1 a channel over the train images (never the test images)."""

    def __init__(self, images: torch.Tensor) -> None:
        scaled = images.cpu().double() / 255
        self.mean = scaled.mean((0, 2, 3)).float()[:, None, None].to(images.device)
        self.std = scaled.std((0, 2, 3)).float().clamp(min=1e-3)[:, None, None].to(images.device)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        return (images - self.mean) / self.std


def scaling(protocol: HardLabels, images: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    """The normalisation of ``protocol``, of floats in [0, 1]."""
    return colour.normalise if protocol.normalisation == "imagenet" else _Own(images)
