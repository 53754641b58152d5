"""Options of the training loop, apart from it so that reading a configuration needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmark.types import Count, Fraction, NonNegative, NonNegativeInt, Positive


@dataclass(frozen=True)
class Training:
    """Optimisation of a noise predictor by AdamW."""

    steps: Count = 1000
    """optimiser steps"""
    batch: Count = 64
    lr: Positive = 1e-3
    weight_decay: NonNegative = 0.0
    warmup: NonNegativeInt = 50
    """steps over which the learning rate rises linearly from zero"""
    decay: Literal["linear", "none"] = "linear"
    """linear: the learning rate falls to zero at the last step"""
    ema: Fraction = 0.0
    """decay of the moving average of the weights that is kept in the end; 0 keeps the last weights.
    The decay warms up as (1 + n) / (10 + n) so that a short run is not an average of its start."""
    label_dropout: Fraction = 0.1
    """share of samples trained without their class, for classifier-free guidance (Ho & Salimans 2022)"""
