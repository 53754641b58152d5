"""The closed-form DPP gradient against autograd in float64."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench.methods.diffusion.guidances.dpp import dpp_loss_and_gradient


def autograd(z, eps):
    """L = -log det(K + eps I) written out directly, differentiated by torch."""
    z = z.double().clone().requires_grad_(True)
    u = z / z.norm(dim=-1, keepdim=True)
    kernel = u @ u.mT + eps * torch.eye(z.shape[-2], dtype=torch.float64)
    loss = -torch.linalg.slogdet(kernel).logabsdet
    (gradient,) = torch.autograd.grad(loss.sum(), z)
    return loss.detach(), gradient


@settings(max_examples=40)
@given(
    n=st.integers(1, 12),
    d=st.integers(1, 40),
    k=st.integers(1, 3),
    eps=st.sampled_from([1e-3, 1e-2, 0.5]),
    seed=st.integers(0, 999),
)
def test_equals_autograd_in_float64(n, d, k, eps, seed):
    z = torch.randn(k, n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    loss, gradient = dpp_loss_and_gradient(z, eps)
    expected_loss, expected = autograd(z, eps)
    torch.testing.assert_close(loss, expected_loss, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(gradient, expected, rtol=1e-7, atol=1e-9)


def test_float32_latents_lose_only_rounding():
    z = torch.randn(10, 4096, generator=torch.Generator().manual_seed(0))
    _, gradient = dpp_loss_and_gradient(z, 1e-3)
    _, expected = autograd(z, 1e-3)
    assert gradient.dtype == torch.float32
    assert (gradient.double() - expected).norm() / expected.norm() < 1e-6


def test_sets_of_a_batch_do_not_see_each_other():
    z = torch.randn(5, 4, 7, generator=torch.Generator().manual_seed(0))
    together = dpp_loss_and_gradient(z, 1e-3)[1]
    alone = torch.stack([dpp_loss_and_gradient(z[i], 1e-3)[1] for i in range(5)])
    torch.testing.assert_close(together, alone)


def test_gradient_does_not_change_lengths():
    z = torch.randn(6, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    gradient = dpp_loss_and_gradient(z, 1e-3)[1]
    assert (gradient * z).sum(-1).abs().max() < 1e-9


def test_a_step_against_the_gradient_raises_the_determinant():
    z = torch.randn(8, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    before, gradient = dpp_loss_and_gradient(z, 1e-3)
    after, _ = dpp_loss_and_gradient(z - 0.01 * gradient, 1e-3)
    assert after < before


def test_coinciding_latents_have_zero_gradient_and_do_not_fail():
    z = torch.ones(3, 9)
    loss, gradient = dpp_loss_and_gradient(z, 1e-3)
    assert torch.isfinite(loss)
    assert gradient.abs().max() < 1e-6


def test_a_single_latent_and_a_zero_latent_are_left_alone():
    assert dpp_loss_and_gradient(torch.randn(1, 9), 1e-3)[1].abs().max() < 1e-6
    assert dpp_loss_and_gradient(torch.zeros(2, 9), 1e-3)[1].abs().max() == 0


def test_diverged_latents_are_an_error_not_a_nan():
    with pytest.raises(FloatingPointError, match="diverged"):
        dpp_loss_and_gradient(torch.full((3, 4), float("nan")), 1e-3)


def test_autocast_does_not_reach_the_factorisation():
    z = torch.randn(4, 30, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = dpp_loss_and_gradient(z, 1e-3)[1]
    assert torch.equal(inside, dpp_loss_and_gradient(z, 1e-3)[1])
