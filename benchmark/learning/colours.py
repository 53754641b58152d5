"""The one normalisation that teachers and their students share: a batch that both see alike needs constants that do not
depend on the set trained on."""

from __future__ import annotations

import torch

from ddbench.steps import constant

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""of ImageNet's RGB values in [0, 1]; what torchvision's pretrained networks expect"""


def normalise(images: torch.Tensor) -> torch.Tensor:
    """Floats in [0, 1], (N, C, H, W), minus ImageNet's mean, divided by its standard deviation, by channel; of images
    that are not RGB, by the means of the three."""
    rgb = images.shape[1] == 3
    constants = (IMAGENET_MEAN, IMAGENET_STD) if rgb else ((_mean(IMAGENET_MEAN),), (_mean(IMAGENET_STD),))
    mean, std = (constant(v, images.device)[:, None, None] for v in constants)
    return (images - mean) / std


def _mean(values: tuple[float, ...]) -> float:
    return sum(values) / len(values)
