"""The guided step at the paper's size: the CGS correction beside a network evaluation, closed form beside autograd.

pytest tests/perf/test_guidance.py -s
"""

from functools import partial

import pytest
import torch
from diffusers import DiTTransformer2DModel

from ddbench.methods.diffusion.guidances.cgs import CGS
from ddbench.methods.diffusion.guidances.dpp import dpp_loss_and_gradient
from ddbench.methods.diffusion.guidances.guidance import LatentSets
from ddbench.methods.diffusion.model import new_transformer
from ddbench.stages.provenance import provenance
from tests.support.timing import seconds

SIZES = (10, 50, 100)
XL_LAYERS = 28


def autograd(z, eps):
    z = z.double().requires_grad_(True)
    u = z / z.norm(dim=-1, keepdim=True)
    identity = torch.eye(z.shape[-2], dtype=torch.float64)
    return torch.autograd.grad(-torch.logdet(u @ u.mT + eps * identity).sum(), z)[0]


@pytest.fixture(scope="module", autouse=True)
def machine():
    torch.set_num_threads(1)
    print(f"\n{provenance()['processor']}, torch {torch.__version__}, one thread")


def xl_block_seconds(n):
    """One evaluation of DiT-XL/2 on n latents of 4x32x32, from models of one and two of its 28 equal blocks."""
    times = []
    for layers in (1, 2):
        model = DiTTransformer2DModel(
            num_attention_heads=16, attention_head_dim=72, in_channels=4, out_channels=8, num_layers=layers,
            sample_size=32, patch_size=2, num_embeds_ada_norm=1000, norm_num_groups=1,
        ).eval()  # fmt: skip
        z, t = torch.randn(n, 4, 32, 32), torch.full((n,), 500)
        with torch.inference_mode():
            times.append(seconds(partial(model, z, timestep=t, class_labels=t), 3))
    return times[0] + (XL_LAYERS - 1) * (times[1] - times[0])


def test_the_correction_is_a_small_share_of_a_network_evaluation():
    per_latent = xl_block_seconds(2) / 2
    small = new_transformer(width=192, layers=4, heads=4, patch=4, channels=3, size=32, num_classes=10).eval()
    for n in SIZES:
        z = torch.randn(1, n, 4, 32, 32)
        sets = LatentSets(latents=z, x0_hat=z, mean=torch.randn(1, 4, 32, 32), abar=0.5, progress=0.5)
        correction = seconds(partial(CGS().correction, sets))
        x, t = torch.randn(n, 3, 32, 32), torch.full((n,), 3)
        with torch.inference_mode():
            own = seconds(partial(small, x, timestep=t, class_labels=t))
        xl = per_latent * n
        print(
            f"N = {n}: correction {1e3 * correction:.2f} ms; share of DiT-XL/2 (28 x a measured block, {xl:.1f} s) "
            f"{correction / xl:.2e}, of a 3 M prior ({1e3 * own:.0f} ms) {correction / own:.1%}"
        )
        assert correction < 0.01 * xl


def test_the_closed_form_beats_autograd_in_time_and_memory():
    for n in (*SIZES, 1000):
        z = torch.randn(n, 4096)
        ways = {"closed": partial(dpp_loss_and_gradient, z, 1e-3), "autograd": partial(autograd, z, 1e-3)}
        closed, automatic = (seconds(work) for work in ways.values())
        memory = [peak(work) for work in ways.values()]
        print(
            f"N = {n}, D = 4096: closed {1e3 * closed:.2f} ms, autograd {1e3 * automatic:.2f} ms, ratio "
            f"{automatic / closed:.1f}; allocations {memory[0]:.1f} / {memory[1]:.1f} MiB"
        )
        assert closed < automatic


def peak(work):
    """Highest memory in MiB that torch's CPU allocator held at once beyond what it held before."""
    from torch.profiler import ProfilerActivity, profile

    work()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        work()
    held = highest = 0
    for event in recorded.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            highest = max(highest, held)
    return highest / 2**20
