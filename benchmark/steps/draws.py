"""Whether code draws from the process-wide generators."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch


def cpu_state() -> tuple[Any, ...]:
    """The state of what a network may draw from on the CPU: torch, numpy and Python. A graph repeats no such draw."""
    arrays: Any = np.random.get_state()
    return torch.default_generator.get_state().numpy().tobytes(), arrays[1].tobytes(), arrays[2:], random.getstate()


def draws_itself(call: Callable[[], Any], device: str | torch.device) -> bool:
    """Whether ``call`` draws from a process-wide generator, as dropout does. What it draws stays drawn."""
    place = torch.device(device)

    def state() -> tuple[Any, ...]:
        return cpu_state(), torch.cuda.get_rng_state(place).numpy().tobytes() if place.type == "cuda" else b""

    before = state()
    call()
    return state() != before
