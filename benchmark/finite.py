"""No number from broken mathematics: losses, weights and outputs that are not finite end a stage, and say where."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def check_loss(loss: float, of: str, where: str, advice: str) -> None:
    """Raises FloatingPointError for a loss that is NaN or infinite.

    of: what is trained (``"the embedder"``); where: ``"step 3 of 20"``; advice: what may help.
    """
    if not math.isfinite(loss):
        raise FloatingPointError(f"the loss of {of} became {loss} at {where}: {advice}")


def check_weights(weights: Iterable[torch.Tensor], of: str, where: str, advice: str) -> None:
    """Raises FloatingPointError when ``weights`` hold a NaN or an infinity: the last step of a training can leave them
    so although its loss was finite. One value is read from the device."""
    import torch

    broken = [~value.detach().isfinite().all() for value in weights if value.is_floating_point()]
    if broken and bool(torch.stack(broken).any()):
        raise FloatingPointError(f"the weights of {of} are not finite after {where}: {advice}")
