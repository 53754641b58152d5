"""Options of training, apart from the loop so that reading a configuration needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ddbench.hyperparameters import Compilation, Precision
from ddbench.types import Count, Fraction, NonNegative, NonNegativeInt, Positive

LORA_NEEDS = "parameters=lora needs the package peft: pip install -e '.[lora]' -c constraints.txt"


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
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    """AdamW's decays of the mean of the gradient and of its square; 0.9 and 0.999 in DiT (Peebles & Xie 2023) and in
    Minimax's fine-tuning"""
    weight_decay: NonNegative = 0.0
    warmup: NonNegativeInt = 50
    """steps over which the learning rate rises linearly from zero"""
    decay: Literal["linear", "none"] = "linear"
    """linear: the learning rate falls to zero at the last step"""
    ema: Fraction = 0.0
    """decay of the moving average of the weights, which starts as a copy of them and takes the place of the last
    weights in the end; 0 keeps the last weights"""
    ema_warmup: bool = True
    """the decay is no more than (1 + n) / (10 + n) at step n (diffusers' and TensorFlow's rule), so that a model
    trained from scratch is not an average with its random start"""
    label_dropout: Fraction = 0.1
    """share of samples trained without their class, for classifier-free guidance (Ho & Salimans 2022)"""
    mirror: bool = False
    """train on the mirror image with probability one half"""
    order: Literal["with_replacement", "shuffled"] = "with_replacement"
    """with_replacement: the images of each step are drawn from all. shuffled: epochs, each of which takes the images in
    an order of its own and leaves out the last ones that fill no batch"""
    precision: Precision = "fp32"
    """tf32: matrix products and convolutions in TF32 where a GPU has it. bf16: the network runs under autocast; losses,
    weights and optimiser stay in fp32"""
    compile: Compilation = "none"
    """blocks: the blocks of the network are compiled one by one, forward and backward"""
    checkpoint_activations: bool = False
    """compute activations again in the backward pass instead of keeping them"""


@dataclass(frozen=True)
class FineTuning(Training):
    """Training that starts from a prior. The defaults are those of Minimax for DiT-XL/2 and ten classes (Gu et al.,
    CVPR 2024: ``train_dit.py`` and ``run.sh`` of the authors), which every fine-tuned method shares."""

    steps: Count = 12_000
    """optimiser steps; the authors sample from the checkpoint of step 12,000"""
    batch: Count = 8
    warmup: NonNegativeInt = 0
    decay: Literal["linear", "none"] = "none"
    ema: Fraction = 0.9999
    """as above; sampled is the average, 30.1 % of which is still the prior after 12,000 steps (0.9999^12000). A much
    shorter run wants a faster decay, or 0"""
    ema_warmup: bool = False
    """no warm-up: the average starts from the prior, which is meant to stay in it"""
    mirror: bool = True
    order: Literal["with_replacement", "shuffled"] = "shuffled"
    precision: Precision = "tf32"
    parameters: Literal["full", "difffit", "lora"] = "difffit"
    """full: all weights. difffit: biases, class embeddings and timestep biases, and scales for each channel of queries,
    keys, values, the attention's output and both branches in the first half of the blocks (Xie et al. 2023, as Minimax
    uses it): 1.74 M of DiT-XL/2. lora: low-rank updates of the attention projections (Hu et al. 2022; needs the extra
    ``lora``)"""
    rank: Count = 8
    """of the LoRA updates"""
    chunk: NonNegativeInt = 0
    """classes that are tuned together; 0 is all. Minimax collapses when 100 classes are tuned at once: use 10 to 20"""
