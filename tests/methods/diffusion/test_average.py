"""The moving average of weights: what is left of its start, with and without a warm-up, and the options' defaults."""

import pytest
import torch
from torch import nn

from ddbench.computing import products
from ddbench.methods.diffusion.training.average import WeightAverage
from ddbench.methods.diffusion.training.options import FineTuning, Training


def start_left(steps, **options):
    """The share of the start in the average: it started at 1, and every later weight is 0."""
    weight = nn.Parameter(torch.ones(1, dtype=torch.float64))
    average = WeightAverage([weight], **options)
    weight.data.zero_()
    for step in range(steps):
        average.update(torch.tensor(average.weight(step), dtype=torch.float64))
    average.put()
    return weight.item()


def test_after_the_default_fine_tuning_30_percent_of_the_prior_are_left():
    options = FineTuning()
    left = start_left(options.steps, decay=options.ema, warmup=options.ema_warmup)
    assert left == pytest.approx(0.9999**12_000)
    assert left == pytest.approx(0.301, abs=5e-4)


def test_a_warm_up_forgets_the_random_start_of_a_prior():
    assert Training().ema_warmup
    assert start_left(12_000, decay=0.9999, warmup=True) < 1e-30
    assert start_left(3, decay=0.9999, warmup=True) == pytest.approx(1 / 10 * 2 / 11 * 3 / 12)


def test_without_a_decay_the_last_weights_stay():
    assert start_left(3, decay=0.0, warmup=False) == 0.0


def test_fine_tuning_has_minimaxs_optimiser_and_length():
    options = FineTuning()
    assert (options.steps, options.batch, options.lr, options.betas) == (12_000, 8, 1e-3, (0.9, 0.999))
    assert (options.weight_decay, options.warmup, options.decay, options.precision) == (0, 0, "none", "tf32")


def test_tf32_is_put_back():
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    with products("fp32" if before[0] else "tf32"):
        assert torch.backends.cuda.matmul.allow_tf32 is not before[0]
    assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == before
