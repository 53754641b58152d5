"""How the steps of a loop run on a device."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from ddbench.steps.graphs import CudaGraphs, Graphs

KEPT_STEPS = 64
"""steps on a card between two looks at what they put out: each look waits for the card"""


@dataclass(frozen=True)
class Mode:
    """On a CPU a step runs as it is called and is looked at at once. On a card draws are read ahead by a thread, steps
    are captured where that is possible, and what they put out stays on the card for ``kept`` steps."""

    device: torch.device
    graphs: Graphs | None = None
    """what captures a step; None: every step runs eagerly"""
    ahead: bool = False
    """draw in a thread beside the steps and move many steps' draws at once"""
    kept: int = 1
    apart: bool = False
    """whether steps run apart from Python, so that a number that changes with the step must be on the device"""

    def eager(self) -> Mode:
        """This mode without capture."""
        return replace(self, graphs=None)


def mode(device: str | torch.device, graphs: bool = True) -> Mode:
    """The mode of a loop on ``device``. ``graphs``: whether its step may be captured at all."""
    place = torch.device(device)
    if place.type != "cuda":
        return Mode(place)
    if place.index is None:
        place = torch.device("cuda", torch.cuda.current_device())
    return Mode(place, CudaGraphs(place) if graphs else None, ahead=True, kept=KEPT_STEPS, apart=True)
