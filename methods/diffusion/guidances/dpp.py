"""The determinantal point process term: -log det(K + eps I) of the cosine kernel of a set, and its gradient.

Kernel, factorisation and gradient are in float64: a float32 factorisation at eps = 1e-6 can be finite and wholly
wrong, and at N <= 100 float64 costs next to nothing.
"""

from __future__ import annotations

import torch

MAX_JITTER_DOUBLINGS = 20


def dpp_loss_and_gradient(latents: torch.Tensor, eps: float) -> tuple[torch.Tensor, torch.Tensor]:
    """L = -log det(K + eps I) with K_ij = cos(z_i, z_j), and dL/dz in closed form, for each set of a batch.

    latents: (..., N, D), the N vectors of each set. Returns the loss (...,) in float64 and the gradient
    (..., N, D) in the dtype of ``latents``.

    With u_i = z_i / |z_i| and A = (K + eps I)^-1: dL/du_i = -2 sum_j A_ij u_j, and projecting out the radial part,
    dL/dz_i = -2 / |z_i| * (sum_j A_ij u_j - (1 - eps A_ii) u_i), because (A K)_ii = 1 - eps A_ii.
    Cosines do not see the length of a vector, so the gradient is orthogonal to each z_i; a zero vector gets zero.
    """
    with torch.autocast(device_type=latents.device.type, enabled=False):
        z = latents.double()
        norms = z.norm(dim=-1, keepdim=True).clamp(min=1e-12)
        u = z / norms
        kernel = u @ u.mT
        factor, eps_used = _cholesky(kernel, eps)
        loss = -2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        inverse = torch.cholesky_inverse(factor)
        radial = 1 - eps_used[..., None] * inverse.diagonal(dim1=-2, dim2=-1)
        gradient = -2 / norms * (inverse @ u - radial[..., None] * u)
    return loss, gradient.to(latents.dtype)


def _cholesky(kernel: torch.Tensor, eps: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Cholesky factor of ``kernel + eps I`` and the eps used, raised where rounding left a set indefinite."""
    identity = torch.eye(kernel.shape[-1], dtype=kernel.dtype, device=kernel.device)
    used = torch.full(kernel.shape[:-2], eps, dtype=kernel.dtype, device=kernel.device)
    for _ in range(MAX_JITTER_DOUBLINGS):
        factor, failed = torch.linalg.cholesky_ex(kernel + used[..., None, None] * identity)
        if not failed.any():
            return factor, used
        used = torch.where(failed > 0, used * 2, used)
    raise FloatingPointError("the cosine kernel is not finite: the latents diverged; lower the etas of the guidance")
