"""Collective guided sampling: its two gradients, reductions and window."""

import pytest
import torch

from ddbench.methods.diffusion.guidances.cgs import CGS
from ddbench.methods.diffusion.guidances.dpp import dpp_loss_and_gradient
from ddbench.methods.diffusion.guidances.guidance import LatentSets


def sets(k=2, n=5, abar=0.3, progress=0.5):
    random = torch.Generator().manual_seed(0)
    return LatentSets(
        latents=torch.randn(k, n, 2, 3, 3, generator=random),
        x0_hat=torch.randn(k, n, 2, 3, 3, generator=random),
        mean=torch.randn(k, 2, 3, 3, generator=random),
        abar=abar,
        progress=progress,
    )


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_mean_term_equals_autograd_of_the_squared_error(reduction):
    given = sets()
    z = given.latents.clone().requires_grad_(True)
    error = (z.mean(1) - given.abar**0.5 * given.mean).square().flatten(1)
    loss = error.mean(1).sum() if reduction == "mean" else error.sum()
    (expected,) = torch.autograd.grad(loss, z)
    found = CGS(eta_dpp=0, eta_dm=1, reduction=reduction).correction(given)
    torch.testing.assert_close(found, expected)


def test_correction_is_the_weighted_sum_of_both_gradients():
    given = sets()
    dm = CGS(eta_dpp=0, eta_dm=1).correction(given)
    dpp = dpp_loss_and_gradient(given.latents.flatten(2), 1e-3)[1].view_as(given.latents)
    torch.testing.assert_close(CGS(eta_dpp=0.5, eta_dm=3).correction(given), 0.5 * dpp + 3 * dm)


def test_a_full_step_of_the_sum_moves_the_mean_onto_its_target():
    given = sets(n=4)
    moved = given.latents - CGS(eta_dpp=0, eta_dm=2, reduction="sum").correction(given)  # 2 eta / N = 1
    torch.testing.assert_close(moved.mean(1), given.abar**0.5 * given.mean)


@pytest.mark.parametrize(("progress", "guided"), [(0.1, False), (0.2, True), (0.6, True), (0.7, False)])
def test_only_the_window_is_guided(progress, guided):
    correction = CGS(window=(0.2, 0.6)).correction(sets(progress=progress))
    assert bool(correction.abs().max() > 0) is guided
