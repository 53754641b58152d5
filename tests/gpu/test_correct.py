"""What a card must do right: the same bytes twice and under Ray, bf16 near fp32, shared cards, every method once."""

import dataclasses
import json
import subprocess
import sys
import time

import pytest
import torch
from diffusers import AutoencoderKL

from ddbench.api.hardware import on_a_card
from ddbench.evaluators.networks import ConvNet
from ddbench.evaluators.protocols import cpu_small_1
from ddbench.keys import digest
from ddbench.methods.diffusion.codec import DiffusersCodec
from ddbench.methods.diffusion.guidances.cgs import CGS
from ddbench.methods.diffusion.method import Diffusion
from ddbench.methods.diffusion.sampler import Sampler
from ddbench.stages.determinism import deterministic
from ddbench.store.opening import open_store
from ddbench.types import Compute, LabeledImages, StageContext
from tests.gpu.conftest import ON
from tests.gpu.works import dit_xl, images
from tests.support.pipelines import KL, seeded

METHODS = "random,herding,kcenter,dm,dit,dit_ft,minimax,rsm,cgs,rsm_cgs,mgd3,igd,d4m_style"
BF16 = 2.0**-8
"""the largest relative error of a rounding to bfloat16, whose significand has 8 bits"""
LIMIT = 280 if ON == "cuda" else 900
"""seconds of a study"""


def study(tmp_path, device):
    """The smoke study, shorter still, on ``device``."""
    path = tmp_path / "gpu.yaml"
    path.write_text(
        "extends: smoke\nname: gpu\n"
        f"device: {device}\n"
        "methods:\n"
        "  diffusion:\n"
        "    prior: {training: {steps: 20}}\n"
        "    finetune: {steps: 4}\n"
        "    sampler: {steps: 5}\n"
        "grid: {protocol: 'cpu-small@1[epochs_by_ipc=[[1000, 5]]]'}\n"
    )
    return path


def run(path, store, *more):
    """Runs a study in a process of its own, which must succeed; seconds that it took."""
    command = [sys.executable, "-m", "ddbench.cli.main", "run", "--config", str(path), "--store", str(store), *more]
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0, done.stderr[-3000:]
    return time.monotonic() - began


def contents(root):
    """Digests of every artifact's files, and of what each record's configuration and seeds determine."""
    artifacts = {
        path.parent.name: digest(json.loads(path.read_text())["files"])
        for path in root.glob("artifacts/*/*/manifest.json")
    }
    return artifacts, {record.key: digest(record.content()) for record in records(root)}


def records(root):
    return open_store(root, create=False).records()


@pytest.fixture(scope="module")
def inline(device, tmp_path_factory):
    """A store in which every method ran once, inline."""
    folder = tmp_path_factory.mktemp("inline")
    path = study(folder, device)
    took = run(path, folder / "s", "--methods", METHODS, "--executor", "inline")
    print(f"\nevery method once, inline: {took:.0f} s")
    return path, folder / "s"


def test_every_method_runs_once_and_its_record_names_the_hardware(inline, device):
    found = records(inline[1])
    assert {record.cell.method for record in found if record.outcome == "ok"} == set(METHODS.split(","))
    assert on_a_card(found) == (device == "cuda")
    for record in found:
        judged = record.run["hardware"]["evaluate"]
        assert judged["device"] == device
        if device == "cuda":
            assert judged["name"] == torch.cuda.get_device_name() and judged["driver"] and judged["cuda"]
            assert record.run["peak_gpu_mib"] > 0


def test_the_same_study_gives_the_same_bytes_inline_and_under_ray_on_a_shared_card(inline, tmp_path):
    path, store = inline
    shares = [f"--set=resources.{kind}.gpus=0.25" for kind in ("distill", "evaluate", "embed", "fit")]
    took = run(path, tmp_path / "s", "--methods", METHODS, "--executor", "ray", *shares)
    print(f"\nevery method once, under Ray on quarters of a card: {took:.0f} s")
    assert contents(tmp_path / "s") == contents(store)


def test_bf16_and_tf32_move_latents_by_roundings_alone(device):
    """One step of a network of random weights: errors of thousands of roundings, which are independent, add up."""
    model = dit_xl(device, toy=device == "cpu")
    size = model.latent_shape
    random = torch.Generator().manual_seed(0)
    x, t = torch.randn(4, *size, generator=random).to(device), torch.full((4,), 500, device=device)
    ids = torch.arange(4, device=device)
    with torch.no_grad(), deterministic(False, device):
        found = {}
        for precision in ("fp32", "tf32", "bf16"):
            with model.computed(precision, "none"):
                found[precision] = model.predict(x, t, ids)[0]
    scale = found["fp32"].square().mean().sqrt()
    errors = {k: float((v - found["fp32"]).square().mean().sqrt() / scale) for k, v in found.items()}
    print(f"\nrms error of a prediction: tf32 {errors['tf32']:.1e}, bf16 {errors['bf16']:.1e}")
    assert 0 < errors["bf16"] < 16 * BF16
    assert errors["tf32"] < errors["bf16"]


def test_guided_sets_in_bf16_stay_near_those_in_fp32(device):
    model = dit_xl(device, toy=device == "cpu")
    real, context = images(8 * model.latent_shape[1], 2, 2), StageContext(seed=0, device=device)
    drawn = {}
    for precision in ("fp32", "bf16"):
        method = Diffusion(guidance=CGS(), sampler=Sampler(steps=5, precision=precision))
        first, again = (method.distill(real, model, 2, context).images.int() for _ in range(2))
        assert torch.equal(first, again)
        drawn[precision] = first
    moved = (drawn["fp32"] - drawn["bf16"]).abs().float().mean()
    print(f"\nmean change of grey levels by bf16 after five guided steps: {moved:.2f}")
    assert moved < 8


def test_an_autoencoder_in_bf16_stays_within_grey_levels(device):
    latents = torch.randn(4, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    decoded = {}
    for precision in ("fp32", "tf32", "bf16"):
        codec = DiffusersCodec(seeded(AutoencoderKL, **KL).to(device), precision)
        decoded[precision] = codec.decode(latents).int()
    for precision in ("tf32", "bf16"):
        assert (decoded[precision] - decoded["fp32"]).abs().float().mean() < 2


def test_judging_in_bf16_and_compiled_learns_what_fp32_learns(device, tmp_path):
    """Two classes that differ in brightness. Compilation takes half a minute on a processor: only on a card."""
    random = torch.Generator().manual_seed(0)
    labels = torch.arange(2).repeat_interleave(20)
    pixels = 60 + 120 * labels.view(-1, 1, 1, 1) + torch.randint(-40, 40, (40, 3, 16, 16), generator=random)
    data = LabeledImages(pixels.to(torch.uint8), labels, ("dark", "light"))
    protocol = dataclasses.replace(cpu_small_1, epochs_by_ipc=((100, 15),), evaluations=1)
    ways = [Compute(), Compute(precision="tf32"), Compute(precision="bf16")]
    ways += [Compute(precision="bf16", compile="blocks")] if device == "cuda" else []
    for compute in ways:
        context = StageContext(seed=0, device=device, compute=compute)
        first, again = (protocol.evaluate(data, data, ConvNet(2, 8), context) for _ in range(2))
        assert first == again, compute
        assert first.curve[-1][1] > 0.9, compute


def test_a_stage_held_to_its_share_of_a_card_cannot_take_more(device):
    if device == "cpu":
        pytest.skip("only a card has shares")
    from ddbench.stages.gpu import give_back, take

    total = torch.cuda.get_device_properties(0).total_memory
    try:
        take(None, 0.125)
        with pytest.raises(torch.OutOfMemoryError):
            torch.empty(int(0.2 * total), dtype=torch.uint8, device="cuda")
        torch.empty(int(0.05 * total), dtype=torch.uint8, device="cuda")
    finally:
        take(None, 1.0)
        give_back()
    assert torch.cuda.memory_reserved() < 0.05 * total


def test_the_digits_study_takes_less_than_a_minute_on_a_card(device, tmp_path):
    if device == "cpu":
        pytest.skip("minutes on a processor")
    took = run("digits", tmp_path / "s", "--set", "device=cuda", "--seeds", "0", "--eval-seeds", "0")
    print(f"\nthe digits study, one seed, with device: cuda: {took:.0f} s (at most 60)")
    assert took < 60


def test_evaluations_together_have_the_bytes_of_each_alone(device, tmp_path):
    """Four seeds one after another, and together; one network has dropout, whose graphs read seeds of their own."""
    grid = ["--methods", "random", "--archs", "convnet3-w32,timm:test_vit_relpos", "--eval-seeds", "0-3"]
    grid += ["--seeds", "0", "--ipc", "1", "--executor", "inline"]
    path = study(tmp_path, device)
    path.write_text(path.read_text().replace("[[1000, 5]]", "[[1000, 5]],evaluations=1,min_side=32"))
    took = {}
    for asked in (1, 4):
        took[asked] = run(path, tmp_path / str(asked), *grid, "--set", f"resources.evaluate.together={asked}")
    one, four = tmp_path / "1", tmp_path / "4"
    assert contents(four) == contents(one)
    assert {record.run.get("together", 1) for record in records(one)} == {1}
    most = max(record.run.get("together", 1) for record in records(four))
    assert most == (3 if device == "cuda" else 4), "on a card the first of a sort is measured alone"
    print(f"\neight evaluations one after another: {took[1]:.0f} s; together: {took[4]:.0f} s")
