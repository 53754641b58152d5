"""Moments of sets: gradients against autograd, what they hold a set to, and the class's own as low rank + diagonal."""

import numpy as np
import pytest
import torch

from ddbench.methods.diffusion.context import SamplingContext
from ddbench.methods.diffusion.guidances import second_moment
from ddbench.methods.diffusion.guidances.cgs import CGS
from ddbench.methods.diffusion.guidances.guidance import LatentSets
from ddbench.methods.diffusion.guidances.moments import Moments
from ddbench.methods.diffusion.guidances.second_moment import Parts, parts_loss_and_gradient, parts_of, shared_out
from ddbench.methods.diffusion.second_moments import Spread, class_spread, spread_of
from ddbench.types import StageContext


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def spread(k=2, d=12, rank=3):
    directions = torch.linalg.qr(normal(k, d, rank, seed=1))[0].mT
    values = normal(k, rank, seed=2).square().sort(descending=True)[0] + 1
    return Spread(directions, values, normal(k, d, seed=3).square())


def dense(found):
    """The covariance written out: (K, D, D)."""
    return torch.einsum("kr,krd,kre->kde", found.values, found.directions, found.directions) + torch.diag_embed(
        found.rest
    )


def covariance(z):
    z = z - z.mean(1, keepdim=True)
    return z.mT @ z / (z.shape[1] - 1)


WRITTEN_OUT = {
    "variance": lambda z, c: (covariance(z) - dense(c)).diagonal(dim1=1, dim2=2).square().sum(-1),
    "directions": lambda z, c: (
        (u := c.directions[:, : z.shape[1] - 1]) @ (covariance(z) - dense(c)) @ u.mT
    ).square().sum((1, 2)),
    "span": lambda z, c: (covariance(z) - dense(c)).square().sum((1, 2)),
}  # fmt: skip


@pytest.mark.parametrize("n", [2, 3, 7, 20])
@pytest.mark.parametrize("name", WRITTEN_OUT)
def test_losses_and_gradients_equal_autograd_of_the_whole_matrices(name, n):
    z, target = normal(2, n, 12).requires_grad_(True), spread().noised(0.3)
    expected = WRITTEN_OUT[name](z, target)
    (gradient,) = torch.autograd.grad(expected.sum(), z)
    loss, found = second_moment.LOSSES[name](z.detach(), target)
    torch.testing.assert_close(loss, expected.detach(), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(found, gradient, rtol=1e-10, atol=1e-10)


def test_float32_latents_of_4096_elements_lose_only_rounding():
    z, target = normal(1, 10, 4096), spread(1, 4096, 5).noised(0.5)
    for loss in second_moment.LOSSES.values():
        found = loss(z.float(), target.to(z.float()))[1]
        exact = loss(z, target)[1]
        assert (found - exact).norm() < 1e-5 * exact.norm()


def test_the_parts_loss_and_gradient_equal_autograd():
    member = torch.nn.functional.one_hot(torch.tensor([[0, 0, 1, 1, 1], [0, 1, 1, 2, 2]])).double()
    parts, z = Parts(member, normal(2, 3, 6, seed=4)), normal(2, 5, 6).requires_grad_(True)
    loss = z.new_zeros(2)
    for k in range(2):
        for m in range(3):
            if members := member[k, :, m].nonzero()[:, 0].tolist():
                error = z[k, members].mean(0) - 0.4**0.5 * parts.means[k, m]
                loss[k] = loss[k] + len(members) / 5 * error.square().sum()
    (gradient,) = torch.autograd.grad(loss.sum(), z)
    found, by_z = parts_loss_and_gradient(z.detach(), parts, 0.4)
    torch.testing.assert_close(found, loss.detach())
    torch.testing.assert_close(by_z, gradient)


def test_low_rank_plus_diagonal_is_exact_where_all_directions_are_kept_and_in_its_diagonal_always():
    real = normal(30, 2, 2, 2, seed=5)
    expected = np.cov(real.flatten(1).numpy().T)
    whole, part = (Spread(*(torch.from_numpy(x)[None] for x in spread_of(real, rank))) for rank in (8, 2))
    np.testing.assert_allclose(dense(whole)[0], expected, atol=1e-6)
    np.testing.assert_allclose(part.variance[0], expected.diagonal(), atol=1e-6)
    few = Spread(*(torch.from_numpy(x)[None] for x in spread_of(real[:5], 8)))  # fewer images than elements
    np.testing.assert_allclose(dense(few)[0], np.cov(real[:5].flatten(1).numpy().T), atol=1e-6)
    assert few.values.shape == (1, 4)


def test_a_noised_class_has_the_covariance_of_its_noised_latents():
    found, a = spread(), 0.3
    noised = dense(found.noised(a))
    torch.testing.assert_close(noised, a * dense(found) + (1 - a) * torch.eye(12, dtype=torch.float64))
    vectors = normal(2, 4, 12)
    torch.testing.assert_close(found.apply(vectors), vectors @ dense(found))
    torch.testing.assert_close(found.square(), dense(found).square().sum((1, 2)))


@pytest.mark.parametrize("name", ["variance", "directions"])
def test_descent_brings_a_set_to_the_moments_of_its_class(name):
    z, target = normal(2, 5, 12), spread().noised(0.5)
    first = second_moment.LOSSES[name](z, target)[0]
    for _ in range(400):
        z = z - 0.01 * second_moment.LOSSES[name](z, target)[1]
    assert (second_moment.LOSSES[name](z, target)[0] < 1e-3 * first).all()


def sets_of(images, n):
    random = torch.Generator().manual_seed(0)
    k = len(images.classes)
    z, x0_hat = torch.randn(2, k, n, *images.shape, generator=random)
    return LatentSets(z, x0_hat, torch.randn(k, *images.shape, generator=random), 0.3, 0.5)


def context(images, model, ipc, cache=None):
    """Of classes whose latents are the pixels of ``images``."""
    ctx = StageContext(seed=0, data="d", cache=cache)
    return SamplingContext(images.classes, ipc, images, model.encoder, model.decoder, ctx, model.beside)


def test_without_a_second_moment_it_is_cgs(images, model):
    guide = Moments(match="mean", eta_dpp=0.5, eta_dm=3).begin(context(images, model, 5))
    given = sets_of(images, 5)
    torch.testing.assert_close(guide.correction(given), CGS(eta_dpp=0.5, eta_dm=3).correction(given), rtol=0, atol=0)


def test_a_set_of_one_has_no_spread_and_gets_the_correction_of_cgs(images, model):
    guide = Moments(eta_dpp=0.5, eta_dm=3, modes=4).begin(context(images, model, 1))
    given = sets_of(images, 1)
    torch.testing.assert_close(guide.correction(given), CGS(eta_dpp=0.5, eta_dm=3).correction(given), rtol=0, atol=0)


@pytest.mark.parametrize("match", ["variance", "covariance"])
def test_the_correction_is_that_of_cgs_and_the_mean_error_of_the_spread(match, images, model):
    scene = context(images, model, 4)
    given = sets_of(images, 4)
    found = Moments(eta_dpp=0.5, eta_dm=3, eta_spread=7, match=match, rank=2).begin(scene).correction(given)
    target = class_spread(scene, 2).noised(0.3)
    which = second_moment.LOSSES["variance" if match == "variance" else "directions"]
    extra = which(given.latents.flatten(2), target)[1].view_as(given.latents) / given.mean[0].numel()
    torch.testing.assert_close(found, CGS(eta_dpp=0.5, eta_dm=3).correction(given) + 7 * extra)


def test_the_spread_of_a_class_is_kept_in_the_cache_and_the_same_from_there(images, model, tmp_path):
    asked = []

    def cache(name, fill):
        folder = tmp_path / name
        if not folder.exists():
            asked.append(name)
            folder.mkdir()
            fill(folder)
        return folder

    plain = class_spread(context(images, model, 4), 2)
    for _ in range(2):
        kept = class_spread(context(images, model, 4, cache), 2)
        assert torch.equal(kept.values, plain.values) and torch.equal(kept.rest, plain.rest)
    assert len(asked) == len(images.classes)


def test_images_are_shared_out_by_the_sizes_of_the_modes():
    assert shared_out(10, [60, 30, 10]) == [6, 3, 1]
    assert shared_out(2, [50, 30, 20]) == [1, 1, 0]
    real = torch.cat([torch.zeros(30, 1, 1, 2), torch.ones(10, 1, 1, 2)]) + 0.01 * torch.randn(40, 1, 1, 2)
    parts = parts_of([real], 2, 4, [0])
    of_zero = parts.means[0].mean(-1).argmin()
    assert parts.member[0].sum(0)[of_zero] == 3
