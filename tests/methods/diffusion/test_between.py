"""Classes coupled by the means of their sets: gradient, which are confusable, and all classes in one context."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

import ddbench
from ddbench.errors import BenchError
from ddbench.methods.diffusion.guidances.between import Between, between_loss_and_gradient, confusable
from ddbench.methods.diffusion.guidances.cgs import CGS
from ddbench.methods.diffusion.guidances.guidance import LatentSets
from ddbench.methods.diffusion.method import Diffusion
from ddbench.methods.diffusion.objectives.rsm import RSM
from ddbench.methods.diffusion.sampler import Sampler
from ddbench.methods.diffusion.training.options import FineTuning
from ddbench.plan.build import make_plan
from ddbench.types import StageContext

OPTIONS = {"eta_dpp": 0.5, "eta_dm": 1.0, "eta_between": 20.0}
SAMPLER = Sampler(steps=4, guidance_scale=1.0, clip_x0=True)


def test_loss_and_gradient_equal_autograd_in_float64():
    random = torch.Generator().manual_seed(0)
    z = torch.randn(5, 4, 7, dtype=torch.float64, generator=random).requires_grad_(True)
    centre = torch.randn(7, dtype=torch.float64, generator=random)
    pairs = confusable(torch.randn(5, 7, dtype=torch.float64, generator=random), 2)
    v = z.mean(1) - centre
    written = [pairs[k, j] * F.cosine_similarity(v[k], v[j], dim=0) for k in range(5) for j in range(k)]
    (expected,) = torch.autograd.grad(torch.stack(written).sum(), z)
    loss, gradient = between_loss_and_gradient(z.detach(), centre, pairs)
    torch.testing.assert_close(loss, torch.stack(written).sum().detach())
    torch.testing.assert_close(gradient, expected)


def test_confusable_are_the_nearest_and_a_pair_counts_for_both():
    means = torch.tensor([[0.0], [1.0], [3.0], [9.0]])
    assert confusable(means, 1).tolist() == [[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0]]
    assert confusable(means, 9).sum() == 12, "all other classes at most"


def test_a_step_of_descent_drives_confusable_means_apart():
    random = torch.Generator().manual_seed(0)
    z, mean = torch.randn(4, 3, 1, 2, 2, generator=random), torch.randn(4, 1, 2, 2, generator=random)
    sets = LatentSets(z, z, mean, 0.5, 0.5)
    pairs, centre = confusable(mean.flatten(1), 1), 0.5**0.5 * mean.flatten(1).mean(0)
    moved = z - Between(eta_dpp=0, eta_dm=0, eta_between=0.1).correction(sets)
    before, after = (between_loss_and_gradient(one.flatten(2), centre, pairs)[0] for one in (z, moved))
    assert after < before


def made(images, model, method, ipc=3, micro_batch=256):
    method = replace(method, sampler=replace(SAMPLER, micro_batch=micro_batch))
    return method.distill(images, model, ipc, StageContext(seed=0)).images.int()


def test_images_do_not_depend_on_the_micro_batch_though_all_classes_are_coupled(images, model):
    coupled = Diffusion(guidance=Between(**OPTIONS))
    whole = made(images, model, coupled)
    assert (whole - made(images, model, coupled, micro_batch=2)).abs().max() <= 1
    alone = Diffusion(guidance=CGS(eta_dpp=0.5, eta_dm=1.0))
    assert (whole - made(images, model, alone)).abs().max() > 1


def test_with_no_weight_it_is_cgs_class_by_class(images, model):
    guidance = Between(eta_dpp=0.5, eta_dm=1.0, eta_between=0)
    assert Diffusion(guidance=guidance).separable
    cgs = Diffusion(guidance=CGS(eta_dpp=0.5, eta_dm=1.0))
    assert torch.equal(made(images, model, Diffusion(guidance=guidance)), made(images, model, cgs))


def test_coupled_classes_are_not_distilled_in_shards():
    plan = make_plan(
        ddbench.study("digits", methods=["cgs", "cgs_between"], ipc=[1], seeds=[0], set={"class_shards": 2})
    )
    sharded = [stage.label for stage in plan.stages.values() if stage.kind == "shard"]
    assert sharded and all("cgs_between" not in label for label in sharded)


def test_classes_with_weights_of_their_own_cannot_be_coupled():
    with pytest.raises(BenchError, match=r"Between denoises all classes at once, and finetune.chunk=5"):
        Diffusion(guidance=Between(), objective=RSM(), finetune=FineTuning(chunk=5))
