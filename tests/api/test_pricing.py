"""Studies in hours of a card: amounts of work by hand, times measured rates, and unknown where there is none."""

import json
from dataclasses import replace

import pytest

from ddbench.api.pricing import built_in, price
from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.plan.build import make_plan
from ddbench.results.rates import OPTIONS, by_work
from ddbench.results.scaling import scaled
from tests.data.test_data import make_tree
from tests.support.invoke import invoke

IPCS = (10, 50, 100)
SMALL = [
    "methods.diffusion.prior.training={steps: 500, batch: 96}",
    "methods.diffusion.finetune.steps=12",
    "methods.diffusion.finetune.batch=8",
]


@pytest.fixture(scope="module")
def where(tmp_path_factory):
    """Options that stand for the papers' data: ten classes of a hundred images each."""
    root = make_tree(tmp_path_factory.mktemp("data") / "images", 100)
    return [f"data.imagenette.{key}" for key in (f"root={root}", "variant=any")]


def priced(where, study="imagenette", measured=lambda _: None, rates=None, assignments=(), **grid):
    changes = {f"grid.{key}": value for key, value in grid.items()}
    plan = make_plan(resolve(load_config(study, changes, [*where, *assignments])))
    found = price(plan.stages.values(), measured, built_in() if rates is None else rates)
    return {(one.kind, one.work): one for one in found}


def seconds(work, precision="fp32", compilation="none"):
    return by_work(built_in())[work, precision, compilation].seconds


def test_amounts_are_epochs_times_images_and_steps_times_latents(where):
    found = priced(where)
    judge = found["evaluate", "judge convnet6 at 224 px, batch 64"]
    epochs = {10: 2000, 50: 1500, 100: 1000}
    assert judge.stages == 8 * 3 * 3
    assert judge.amount == sum(8 * 3 * epochs[ipc] * 10 * ipc for ipc in IPCS)
    assert judge.hours == pytest.approx(judge.amount * seconds(judge.work, "bf16", "blocks") / 3600)
    assert judge.by_option["tf32", "none"] == pytest.approx(judge.amount * seconds(judge.work, "tf32") / 3600)
    latents = 3 * 10 * sum(IPCS)  # seeds, classes
    assert found["distill", "sample DiT-XL/2 at 256 px"].amount == 4 * latents * 50
    assert found["distill", "sample DiT-XL/2 at 256 px with CGS"].amount == 2 * latents * 50
    assert found["distill", "decode KLAutoencoder at 256 px"].amount == 6 * latents
    dm = found["distill", "dm convnet6 at 256 px, IPC 10, 10 classes of 256"]
    assert dm.amount == 3 * 20_000 and dm.hours == pytest.approx(3 * 20_000 * 0.81 / 3600)


def test_latents_are_encoded_once_for_all_fine_tunings(where):
    found = priced(where)
    assert found["fit", "encode KLAutoencoder at 256 px"].amount == 2 * 1000, "a thousand images and their mirrors"
    assert found["fit", "tune DiT-XL/2 at 256 px by difffit, batch 8"].amount == 3 * 12_000


def test_a_small_prior_and_its_fine_tuning_are_bounded_by_steps_of_training_with_another_batch():
    plan = make_plan(resolve(load_config("digits", {"grid.methods": ["rsm"], "device": "cuda"}, SMALL)))
    found = {(one.kind, one.work): one for one in price(plan.stages.values(), lambda _: None, built_in())}
    step = seconds("train DiT 64 x 4 on 16 tokens, batch 32")
    assert found["prior", "train DiT 64 x 4 on 16 tokens, batch 96"].hours == pytest.approx(500 * 3 * step / 3600)
    fits = found["fit", "tune DiT 64 x 4 on 16 tokens by full, batch 8"]
    assert fits.hours == pytest.approx(3 * 12 * step / 3600), "three fine-tunings of twelve steps"
    assert fits.scaled.how == "at most 1 times a step of training it with batch 32 in fp32"


def test_what_has_no_rate_and_no_estimate_is_unknown(where):
    found = priced(where, assignments=["compute.precision=fp32", "compute.compile=none", "methods.dm.precision=bf16"])
    assert found["evaluate", "judge resnet18 at 224 px, batch 64"].hours is None, "slower than in TF32, by how much?"
    assert found["distill", "dm convnet6 at 256 px, IPC 50, 10 classes of 256"].hours is None
    assert all(one.hours in (None, 0.0) for one in priced(where, rates=[]).values())
    other = priced(where, assignments=["methods.diffusion.sampler.guidance_scale=1"])
    assert ("distill", "sample DiT-XL/2 at 256 px") not in other


def test_what_computes_nothing_on_a_card_costs_none_of_it(where):
    found = priced(where, rates=[])
    assert found["distill", "RandomReal"].hours == found["prior", "PretrainedDiT"].hours == 0.0


def test_scaled_rates_are_marked_and_say_how(where):
    found = priced(where)
    dm = found["distill", "dm convnet6 at 256 px, IPC 50, 10 classes of 256"]
    # Of 10 classes 256 real images pass forward, 50 or 10 synthetic ones forward and back.
    assert dm.hours == pytest.approx(3 * 20_000 * 0.81 * (10 * 256 + 2 * 500) / (10 * 256 + 2 * 100) / 3600)
    assert "3,560 for 2,760 at IPC 10" in dm.scaled.how and dm.to_json()["scaled"] == dm.scaled.how
    assert dm.by_option["tf32", "none"] is None, "columns of options hold what was measured"
    tuned = found["fit", "tune DiT-XL/2 at 256 px by difffit, batch 8"]
    assert tuned.hours == pytest.approx(3 * 12_000 * 0.104 / 3600) and tuned.scaled
    judged = found["evaluate", "judge resnet18 at 224 px, batch 64"]
    assert judged.hours == judged.by_option["tf32", "none"] and judged.scaled
    assert found["distill", "sample DiT-XL/2 at 256 px"].scaled is None


def test_tuning_that_arithmetic_bounds_has_no_estimate():
    """In batches of 64, TF32 takes 0.25 s by FLOPs, and bf16 0.167."""
    known = by_work(built_in())
    assert scaled("tune DiT-XL/2 at 256 px by difffit, batch 64", ("tf32", "none"), known) is None
    assert scaled("tune DiT-XL/2 at 256 px by difffit, batch 8", ("fp32", "none"), known) is None


def test_what_the_store_has_measured_comes_before_the_table(where):
    found = priced(where, measured=lambda stage: 7200.0 if stage.kind == "evaluate" else None)
    own = found["evaluate", "as this store measured"]
    assert own.hours == pytest.approx(2 * own.stages)
    assert ("evaluate", "judge convnet6 at 224 px, batch 64") not in found


def test_a_faster_rate_makes_a_study_cheaper_in_proportion(where):
    halved = [replace(rate, seconds=rate.seconds / 2) for rate in built_in()]
    before, after = priced(where), priced(where, rates=halved)
    assert any(one.scaled for one in before.values())
    assert all(after[key].hours == pytest.approx(one.hours / 2) for key, one in before.items() if one.hours)


def test_every_rate_says_its_card_versions_date_and_is_of_known_options():
    rates = built_in()
    assert rates
    for rate in rates:
        assert rate.seconds > 0 and rate.card and rate.torch and rate.commit and rate.date and rate.unit
        assert (rate.precision, rate.compile) in OPTIONS
    assert len(by_work(rates)) == len(rates), "no work twice"


def test_bench_plan_prints_hours_with_and_without_each_option(where, tmp_path):
    arguments = ["plan", "--config", "imagenette", "--store", tmp_path / "s", *(f"--set={option}" for option in where)]
    done = invoke(*arguments)
    assert done.returncode == 0, done.stderr
    assert "bf16+blocks" in done.stdout and "GPU hours as configured" in done.stdout
    assert "of them scaled (~)" in done.stdout and "~ judge resnet18" in done.stdout
    assert "NVIDIA H200, torch 2.11.0+cu130, 2026-11-25" in done.stdout
    document = json.loads(invoke(*arguments, "--json").stdout)
    kinds = {one["kind"] for one in document["gpu_hours"]}
    assert kinds == {"prior", "fit", "distill", "evaluate"}


def test_a_study_on_a_processor_has_no_hours_of_a_card(tmp_path):
    done = invoke("plan", "--config", "smoke", "--store", tmp_path / "s")
    assert "GPU" not in done.stdout
