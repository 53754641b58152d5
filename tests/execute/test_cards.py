"""Cards: what a study asks of them is told before any work, and measured peaks say how many stages share one."""

import dataclasses
import json
import tempfile

import pytest

from ddbench.computing import cache_folder, check_cache, compiler
from ddbench.config.schema import Resources, load_config
from ddbench.config.study import resolve
from ddbench.errors import BenchError
from ddbench.execute.cards import (
    Card,
    check_bf16,
    check_compiler,
    check_count,
    check_free,
    check_hardware,
    read_cards,
    smallest,
)
from ddbench.execute.demand import Demand, Room, recorded_peaks
from ddbench.execute.history import sort_of
from ddbench.plan.build import make_plan
from ddbench.stages.gpu import CONTEXT_MIB
from ddbench.store.opening import open_store
from tests.support.invoke import invoke

H200 = Card("NVIDIA H200", 143_771, 143_000)
MACHINE = Room(16, 2, 100_000)


@pytest.fixture(scope="module")
def stages():
    config = load_config("digits", {"grid.methods": ["random", "rsm"], "grid.ipc": [1]}, ["device=cuda"])
    return list(make_plan(resolve(config)).stages.values())


@pytest.fixture(scope="module")
def judged(stages):
    return next(stage for stage in stages if stage.kind == "evaluate")


def peaks(stage, mib):
    return {sort_of(stage.task): mib}


@pytest.mark.parametrize(
    ("peak", "gpus"),
    [(500, 0.125), (12_000, 0.125), (14_000, 0.25), (27_000, 0.25), (40_000, 0.5), (60_000, 1.0), (140_000, 1.0)],
)
def test_a_stage_takes_the_smallest_part_of_a_card_that_holds_its_measured_peak_with_a_margin(judged, peak, gpus):
    demand = Demand({}, {}, peaks(judged, peak), H200.total)
    assert demand.of(judged, MACHINE).gpus == gpus
    assert gpus == 1.0 or gpus * H200.total >= 1.25 * peak + CONTEXT_MIB


def test_without_a_measurement_or_a_known_card_a_stage_takes_a_whole_one(judged, stages):
    assert Demand({}, {}, {}, H200.total).of(judged, MACHINE).gpus == 1
    assert Demand({}, {}, peaks(judged, 500)).of(judged, MACHINE).gpus == 1
    other = next(stage for stage in stages if stage.kind == "prior")
    assert Demand({}, {}, peaks(judged, 500), H200.total).of(other, MACHINE).gpus == 1


def test_what_is_configured_and_what_a_method_declares_come_before_a_peak(judged):
    asked = {"evaluate": Resources(gpus=0.5)}
    assert Demand(asked, {}, peaks(judged, 500), H200.total).of(judged, MACHINE).gpus == 0.5
    declared = dataclasses.replace(judged, memory_gib=40)
    assert Demand({}, {}, peaks(judged, 500), H200.total).of(declared, MACHINE).gpus == 0.5


def test_the_largest_peak_of_a_sort_on_a_card_is_read_from_the_store(tmp_path, stages):
    store = open_store(tmp_path / "s", create=True)
    distill = [stage for stage in stages if stage.kind == "distill"]
    for k, stage in enumerate(distill):
        run = {"peak_memory_mib": 100, "peak_gpu_mib": 1000 + k, "seconds": 1}
        store.write("distill", stage.key, lambda folder: None, {"task": stage.task, "run": run})
    found = recorded_peaks(store, ["distill"])[1]
    for sort in {sort_of(stage.task) for stage in distill}:
        assert found[sort] == max(1000 + k for k, stage in enumerate(distill) if sort_of(stage.task) == sort)


def test_cards_are_read_from_nvidia_smi():
    told = "NVIDIA H100 80GB HBM3, 81559, 80994\nNVIDIA A100, PCIe, 40960, 1\nNVIDIA H200, [N/A], [N/A]\n"
    assert read_cards(told) == [Card("NVIDIA H100 80GB HBM3", 81559, 80994)]
    assert smallest([H200, Card("small", 16_000, 1)]) == 16_000
    assert smallest([]) == 0


def test_more_cards_than_there_are_is_one_message_before_work():
    with pytest.raises(BenchError, match=r"resources.fit.gpus is 4, and this machine has 2: use --set"):
        check_count({"fit": Resources(gpus=4)}, 2)
    check_count({"fit": Resources(gpus=2), "evaluate": Resources(gpus=0.25)}, 2)


def test_bf16_on_a_card_that_lacks_it_is_refused():
    with pytest.raises(BenchError, match=r"bf16 needs .* Tesla V100 has 7.0: use precision: fp32"):
        check_bf16([(9, 0), (7, 0)], ["NVIDIA H200", "Tesla V100"])
    check_bf16([(8, 0)], ["NVIDIA A100"])


def test_a_full_card_is_refused_with_what_is_needed_and_what_is_free(judged):
    demand = Demand({}, {}, peaks(judged, 20_000), H200.total)
    full = Card("NVIDIA H200", 143_771, 3_000)
    with pytest.raises(BenchError, match=r"needs about 25.4 GiB of a card, and NVIDIA H200 has 2.9 of 140.4 GiB free"):
        check_free([judged], demand, [full])
    check_free([judged], demand, [full, H200])
    check_free([judged], demand, [])  # nobody tells
    with pytest.raises(BenchError, match=r"has 0.1 of"):
        check_free([judged], Demand(), [Card("NVIDIA H200", 143_771, 100)])


@pytest.mark.parametrize(("device", "lacks"), [("cpu", "no-compiler"), ("cuda", "no-compiler or clang")])
def test_compile_without_a_compiler_is_refused(monkeypatch, device, lacks):
    monkeypatch.setenv("CXX", "no-compiler")
    monkeypatch.setenv("CC", "no-compiler")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BenchError, match=f"which needs {lacks}"):
        check_compiler(device, "evaluate x")


def test_compiled_code_is_not_kept_in_a_store(monkeypatch, tmp_path):
    store = tmp_path / "store"
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(store / "cache"))
    with pytest.raises(BenchError, match="inside the store"):
        check_cache(store)
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "mine"))
    check_cache(store)
    own = tmp_path / "mine" / "ddbench" / "inductor"
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", f"{tempfile.gettempdir()}/torchinductor_somebody")
    assert cache_folder() == own, "torch's own choice is nobody's"
    with compiler("blocks"):
        from torch._inductor.runtime.cache_dir_utils import cache_dir

        assert cache_dir() == str(own)
    assert own.stat().st_mode & 0o077 == 0


def test_a_study_for_a_card_is_refused_before_work_where_there_is_none(tmp_path, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    store = tmp_path / "s"
    done = invoke("run", "--config", "smoke", "--set", "device=cuda", "--store", store, "--executor", "inline")
    assert done.returncode == 2
    assert "the configuration says device: cuda and torch sees no GPU" in done.stderr
    assert not store.exists()


def test_a_study_on_the_cpu_asks_nothing_of_cards():
    config = load_config("digits", {"grid.methods": ["random"], "grid.ipc": [1]}, [])
    check_hardware(make_plan(resolve(config)).stages.values(), Demand(), [], "store")


def test_precision_has_one_vocabulary_and_former_words_are_refused_with_the_new(tmp_path):
    for assignment, now in (
        ("compute.precision=bfloat16", "compute.precision=bf16"),
        ("compute.precision=float32", "compute.precision=fp32"),
        ("compute.compile=true", "compute.compile=blocks"),
        ("compute.compile=false", "compute.compile=none"),
        ("methods.diffusion.sampler.precision=bfloat16", "methods.diffusion.sampler.precision=bf16"),
        ("methods.diffusion.sampler.compile=true", "methods.diffusion.sampler.compile=blocks"),
    ):
        with pytest.raises(BenchError, match=f"now: .*{now}"):
            resolve(load_config("digits", {}, [assignment]))


def test_a_default_of_judging_is_keyed_as_before_the_words_were_one():
    plan = make_plan(resolve(load_config("digits", {"grid.methods": ["random"], "grid.ipc": [1]}, [])))
    task = next(stage.task for stage in plan.stages.values() if stage.kind == "evaluate")
    assert json.dumps(task["compute"]) == '{"precision": "float32", "channels_last": false, "compile": false}'
