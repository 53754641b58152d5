"""From the numbers in a file of tensors to 8-bit levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ddbench.errors import BenchError
from ddbench.images import MODES

if TYPE_CHECKING:
    import torch

MOST_CLIPPED = 0.5
"""a larger share outside [0, 1] shows that mean and sd are not those that the images were normalised with"""


@dataclass(frozen=True)
class Normalisation:
    """What was subtracted from pixels in [0, 1], and what they were divided by: one number, or one for each channel."""

    mean: tuple[float, ...]
    sd: tuple[float, ...]

    @staticmethod
    def stated(mean: tuple[float, ...] | None, sd: tuple[float, ...] | None) -> Normalisation | None:
        """None when neither is stated. Raises BenchError for one without the other, or an sd that is not above 0."""
        if not mean and not sd:
            return None
        if not mean or not sd:
            raise BenchError(f"--{'sd' if mean else 'mean'} is missing: state --mean and --sd together.")
        if not all(value > 0 for value in sd):
            raise BenchError("every number of --sd must be above 0.")
        return Normalisation(mean, sd)


def as_nchw(where: str, images: Any) -> torch.Tensor:
    """Images (N, C, H, W), (N, H, W, C) or (N, H, W), of one or three channels, as (N, C, H, W). Raises BenchError."""
    import torch

    array = torch.as_tensor(images).detach()
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim == 4 and array.shape[1] not in MODES and array.shape[3] in MODES:
        array = array.permute(0, 3, 1, 2)
    if array.ndim != 4 or array.shape[1] not in MODES or not array.numel():
        shape = " x ".join(map(str, tuple(images.shape)))
        raise BenchError(
            f"{where} holds no images: its tensor is {shape}; N x C x H x W or N x H x W x C with 1 or 3 channels is "
            "meant."
        )
    return array


def as_levels(where: str, images: torch.Tensor, normalisation: Normalisation | None) -> tuple[torch.Tensor, float]:
    """uint8 (N, C, H, W), and the share of values that were outside [0, 1] and are clipped.

    A float x becomes round(255 (x sd + mean)); whole numbers are levels already. Raises BenchError for numbers that
    are not finite, levels outside 0 to 255, and when most values would be clipped.
    """
    import torch

    if not images.is_floating_point():
        low, high = int(images.min()), int(images.max())
        if low < 0 or high > 255:
            raise BenchError(f"{where} holds levels from {low} to {high}: 0 to 255 are meant.")
        return images.to(torch.uint8), 0.0
    assert normalisation is not None
    channels = images.shape[1]
    for option, numbers in (("--mean", normalisation.mean), ("--sd", normalisation.sd)):
        if len(numbers) not in (1, channels):
            raise BenchError(f"{option} has {len(numbers)} numbers and the images of {where} have {channels} channels.")
    mean, sd = (torch.tensor(v, dtype=torch.float64)[:, None, None] for v in (normalisation.mean, normalisation.sd))
    levels, outside = torch.empty(images.shape, dtype=torch.uint8), 0
    for start in range(0, len(images), 256):
        pixels = images[start : start + 256].double() * sd + mean
        if not pixels.isfinite().all():
            raise BenchError(f"{where} holds numbers that are not finite.")
        # Half a level of tolerance: rounding in float32 is no clipping.
        outside += int(((pixels < -0.5 / 255) | (pixels > 1 + 0.5 / 255)).sum())
        levels[start : start + 256] = (pixels * 255).round().clamp(0, 255).to(torch.uint8)
    clipped = outside / images.numel()
    if clipped > MOST_CLIPPED:
        raise BenchError(
            f"{where}: with this --mean and --sd {clipped:.0%} of its values lie outside [0, 1], so they are not what "
            "the images were normalised with."
        )
    return levels, clipped
