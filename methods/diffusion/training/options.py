"""Options of training, apart from the loop so that reading a configuration needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ddbench.types import Count, Fraction, NonNegative, NonNegativeInt, Positive


@dataclass(frozen=True)
class Training:
    """Optimisation of a noise predictor by AdamW."""

    steps: Count = 1000
    """optimiser steps"""
    batch: Count = 64
    """samples of an optimiser step"""
    accumulate: Count = 1
    """parts into which a batch is split to fit memory; gradients are summed over them"""
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
    mirror: bool = False
    """train on the mirror image with probability one half"""
    precision: Literal["fp32", "bf16"] = "fp32"
    """bf16: the network runs under autocast; losses, weights and optimiser stay in fp32"""
    checkpoint_activations: bool = False
    """compute activations again in the backward pass instead of keeping them"""


@dataclass(frozen=True)
class FineTuning(Training):
    """Training that starts from a prior."""

    parameters: Literal["full", "difffit", "lora"] = "full"
    """full: all weights. difffit: biases, class embeddings, and a scale for each channel of the attention and MLP
    outputs in the first half of the blocks (Xie et al. 2023, as Minimax uses it). lora: low-rank updates of the
    attention projections (Hu et al. 2022; needs the extra ``lora``)"""
    rank: Count = 8
    """of the LoRA updates"""
    chunk: NonNegativeInt = 0
    """classes that are tuned together; 0 is all. Minimax collapses when 100 classes are tuned at once: use 10 to 20"""
