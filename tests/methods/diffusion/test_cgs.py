"""Collaborative guided sampling: its two gradients, reductions, place, kernel and window."""

import pytest
import torch

from ddbench.methods.diffusion.guidances.cgs import CGS
from ddbench.methods.diffusion.guidances.dpp import dpp_loss_and_gradient
from ddbench.methods.diffusion.guidances.guidance import LatentSets, Predicted, Step
from ddbench.methods.diffusion.method import Diffusion
from ddbench.methods.diffusion.sampler import Sampler
from ddbench.types import StageContext
from tests.support.sampled import sampled


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


@pytest.mark.parametrize(("schedule", "factor"), [("constant", 1.0), ("abar", 0.25), ("one_minus_abar", 0.75)])
def test_schedules_scale_both_etas(schedule, factor):
    plain = CGS(eta_dpp=1, eta_dm=2).correction(sets(abar=0.25))
    found = CGS(eta_dpp=1, eta_dm=2, schedule=schedule).correction(sets(abar=0.25))
    torch.testing.assert_close(found, factor * plain)


def step_from(before):
    return Step(before, torch.zeros_like(before.latents), before.latents, torch.tensor(0.1), 0.6, before.progress)


def test_before_takes_both_gradients_at_the_latents_that_the_step_leaves():
    given, options = sets(abar=0.25), {"eta_dpp": 1, "eta_dm": 2}
    before, after = CGS(**options, place="before"), CGS(**options)
    torch.testing.assert_close(before.shift(step_from(given)), -after.correction(given))
    assert before.correction(given).abs().max() == after.shift(step_from(given)).abs().max() == 0


def predicting(z, eps, abar):
    """Sets at ``z`` whose network predicts ``eps``, whatever it is shown."""

    def predict(latents):
        return Predicted(eps, (latents - (1 - abar) ** 0.5 * eps) / abar**0.5)

    return LatentSets(z, predict(z).x0_hat, z.mean(1), abar, 0.5, predict)


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_kernel_on_x0_hat_is_the_chain_rule_at_fixed_noise_and_at_one_noise_level(place):
    """Autograd through x0_hat(z) = (z - sqrt(1 - abar) eps) / sqrt(abar): a wrong level shows as a wrong factor."""
    random, abar = torch.Generator().manual_seed(0), 0.25
    z, eps = torch.randn(2, 2, 5, 2, 3, 3, generator=random, dtype=torch.float64)
    variable = z.clone().requires_grad_(True)
    u = predicting(variable, eps, abar).x0_hat.flatten(2)
    u = u / u.norm(dim=-1, keepdim=True)
    loss = -torch.logdet(u @ u.mT + 1e-3 * torch.eye(5, dtype=torch.float64)).sum()
    (expected,) = torch.autograd.grad(loss, variable)

    cgs = CGS(eta_dpp=1, eta_dm=0, kernel="x0_hat", place=place)
    if place == "before":
        found = -cgs.shift(step_from(predicting(z, eps, abar)))
    else:
        # What the step had predicted, at the level before, is of no use here.
        given = predicting(z, eps, abar)
        found = cgs.correction(LatentSets(z, torch.zeros_like(z), z.mean(1), abar, 0.5, given.predict))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("kernel", ["z_t", "x0_hat"])
@pytest.mark.parametrize("kind", ["ddpm", "ddim"])
def test_every_place_and_kernel_samples_with_either_step_and_differs(model, place, kernel, kind):
    short, means = Sampler(kind=kind, steps=4, guidance_scale=1.5), torch.zeros(1, 1, 8, 8)
    found = sampled(model, ("a",), 3, short, 0, CGS(eta_dpp=0.5, eta_dm=5, place=place, kernel=kernel), means)
    plain = sampled(model, ("a",), 3, short, 0, CGS(eta_dpp=0.5, eta_dm=5), means)
    assert found.isfinite().all()
    assert torch.equal(found, plain) is ((place, kernel) == ("after", "z_t"))


class Watched(CGS):
    """Keeps what it was asked and answered; a class variable, as its options are its fields."""

    seen = ()

    def correction(self, sets):
        found = super().correction(sets)
        Watched.seen += (found,)
        return found


def test_the_whole_set_of_a_class_moves_at_every_step(model, images):
    method = Diffusion(guidance=Watched(), sampler=Sampler(steps=4, guidance_scale=1.5, micro_batch=2))
    method.distill(images, model, 5, StageContext(seed=0))
    assert [tuple(found.shape) for found in Watched.seen] == [(1, 5, 1, 8, 8)] * 4 * 4
    assert all((found.flatten(2).norm(dim=2) > 0).all() for found in Watched.seen)


def test_a_reversed_window_is_refused():
    with pytest.raises(ValueError, match="ends before it begins"):
        CGS(window=(0.6, 0.2))
