"""Clusters of unlabelled images, and which class each of them stands for."""

from __future__ import annotations

import torch

from ddbench.methods.diffusion.codec import Codec
from ddbench.methods.diffusion.latents import CHUNK
from ddbench.types import LabeledImages


def encoded(codec: Codec, images: LabeledImages) -> torch.Tensor:
    """The mean latents of images, float32 (N, c, h, w), on the CPU."""
    return torch.cat([codec.encode(part).float().cpu() for part in images.images.split(CHUNK)])


def nearest(latents: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
    """The index of the nearest centre of each latent, int64 (N,)."""
    parts = latents.flatten(1).double().split(CHUNK)
    return torch.cat([torch.cdist(part, centres.flatten(1).double()).argmin(1) for part in parts])


def matched(cluster: torch.Tensor, labels: torch.Tensor, clusters: int, classes: int) -> torch.Tensor:
    """The class of each cluster, int64 (clusters,), by labelled images: their ``cluster`` and ``labels``, int64 (N,).

    A cluster goes to the class that most of its images have, the first of equals and of none; but every class gets one,
    and of all such matches this has the most images in a cluster of their class: an assignment problem (Kuhn 1955) in
    what a cluster loses with another class than its own.
    """
    from scipy.optimize import linear_sum_assignment

    counts = torch.zeros(clusters, classes, dtype=torch.int64)
    counts.index_put_((cluster, labels), torch.ones_like(labels), accumulate=True)
    owner = counts.argmax(1)
    chosen, of_class = linear_sum_assignment((counts.amax(1, keepdim=True) - counts).numpy())
    owner[torch.from_numpy(chosen)] = torch.from_numpy(of_class)
    return owner
