"""Grey levels: the one place where floats become the uint8 pixels of an image, and what a constant channel is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

LEVELS = 255.0
"""the largest grey level"""

DIVERGED = 2.0**24
"""grey levels from which on float32 does not hold every whole number: a value there says nothing of a pixel"""

CONSTANT = 1e-3
"""a channel whose standard deviation is below this share of the range of its values, a quarter of a grey level, counts
as constant"""


def to_levels(grey: torch.Tensor, of: Sequence[str] = ()) -> torch.Tensor:
    """Float images (N, C, H, W) in 0..255 -> uint8, clamped and rounded to the nearest level.

    of: the class of each image, for the message. Raises FloatingPointError where a value is NaN, infinite or diverged
    (``DIVERGED``): clamping would make a black or a white pixel of it.
    """
    import torch

    good = grey.abs() < DIVERGED  # not so for NaN
    if not good.all():
        images = (~good.flatten(1).all(1)).nonzero()[:, 0].tolist()
        nan, infinite = int(grey.isnan().sum()), int(grey.isinf().sum())
        counts = {"NaN": nan, "infinite": infinite, "beyond 2^24": int((~good).sum()) - nan - infinite}
        values = ", ".join(f"{n} {name}" for name, n in counts.items() if n)
        names = sorted({of[i] for i in images}) if of else []
        whose = f" of class {names[0]!r}" + (f" and {len(names) - 1} more" if names[1:] else "") if names else ""
        raise FloatingPointError(
            f"the pixels of {len(images)} of {len(grey)} images{whose} are not finite grey levels: {values} of "
            f"{grey.numel()} values. No image is made of them; lower the learning rate or the guidance"
        )
    return grey.clamp(0, LEVELS).round().to(torch.uint8)


def spread(sd: float, full: float) -> float:
    """The standard deviation to divide a channel by: ``sd``, or 1 for a channel that is constant (``CONSTANT``).

    sd and full, the range of the values (255 for grey levels, 1 for images in [0, 1]), are in the units in which the
    channel is divided; so is the 1.
    """
    return sd if sd >= CONSTANT * full else 1.0
