"""Hardware on records: named in captions where a card was used, in comparisons where it differs, absent in old ones."""

from ddbench.api.captions import facts_of
from ddbench.api.hardware import hardware_of, on_a_card
from ddbench.results.tables.captions import different_hardware
from ddbench.stages.hardware import compiles, driver_version
from ddbench.stages.hardware import hardware_of as hardware_of_stage
from tests.support.records import cell, record

H200 = {"device": "cuda", "name": "NVIDIA H200", "driver": "580.95.05", "cuda": "13.0", "memory_mib": 143771}
H100 = H200 | {"name": "NVIDIA H100 80GB HBM3"}
CPU = {"device": "cpu"}
NAMED = "NVIDIA H200 (driver 580.95.05, CUDA 13.0)"


def ran(seed=0, **stages):
    run = {"hardware": stages, "provenance": {"processor": "a processor"}}
    return record(cell(seed=seed), 0.5, run=run, device=stages["evaluate"]["device"])


def place(*records):
    return facts_of(records).place("s/test", "p@1")


def test_a_caption_names_the_card():
    assert f"Ran on {NAMED}." in place(ran(distill=H200, evaluate=H200))


def test_a_caption_names_several_kinds_of_hardware():
    told = place(ran(0, distill=H200, evaluate=CPU), ran(1, distill=H100, evaluate=H100))
    assert "Ran on several kinds of hardware: " in told
    assert all(name in told for name in (NAMED, "NVIDIA H100 80GB HBM3", "a processor"))


def test_a_caption_says_nothing_of_processors_alone():
    assert "Ran on" not in place(ran(evaluate=CPU))


def test_a_record_of_an_earlier_release_is_of_an_unnamed_card_or_none():
    old = record(cell(), 0.5, run={"provenance": {"processor": "a processor"}}, device="cuda")
    assert hardware_of([old]) == ("a GPU that records do not name",)
    assert on_a_card([old]) and not on_a_card([record(cell(), 0.5, device="cpu")])
    assert hardware_of([record(cell(), 0.5)]) == ("an unnamed processor",)


def test_sides_on_different_hardware_are_told():
    assert different_hardware((NAMED,), (NAMED,)) == ""
    assert f"A ran on {NAMED}, B on a processor" in different_hardware((NAMED,), ("a processor",))
    assert different_hardware((), (NAMED,)) == ""


def test_a_stage_tells_the_precision_and_compilation_of_what_it_computes():
    sampler = {"type": "ddbench:Sampler", "precision": "bf16", "compile": "blocks"}
    prior = {"type": "ddbench:ScratchPrior", "training": {"type": "ddbench:Training", "precision": "tf32"}}
    task = {"device": "cpu", "method": {"type": "ddbench:Diffusion", "sampler": sampler}, "state": [prior]}
    assert hardware_of_stage(task) == {"device": "cpu", "precision": ["bf16"], "compile": ["blocks"]}
    judged = {"device": "cpu", "compute": {"precision": "float32", "channels_last": False, "compile": False}}
    assert hardware_of_stage(judged) == {"device": "cpu", "precision": ["fp32"], "compile": ["none"]}
    assert compiles(task) and not compiles(judged)
    decoder = {"type": "ddbench:KLAutoencoder", "precision": "fp32", "compile": "blocks"}
    assert compiles({"device": "cpu", "method": {}, "state": [{"type": "ddbench:PretrainedDiT", "decoder": decoder}]})


def test_the_drivers_version_is_read_from_the_kernels_file(tmp_path):
    file = tmp_path / "version"
    file.write_text(
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build\nGCC version: 12\n"
    )
    assert driver_version(file) == "580.95.05"
    assert driver_version(tmp_path / "none") is None
