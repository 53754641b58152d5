"""``bench show``: everything about one number, found by its coordinates or its key."""

import json

import pytest

from ddbench.cli.show_cell import _stage
from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.plan.build import make_plan
from ddbench.stages.run import run_stage
from ddbench.store.opening import open_store
from tests.support.invoke import invoke
from tests.support.records import cell, hexkey, judged, record, stored


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store with one cell of rsm that was really run, judged for an epoch."""
    root = tmp_path_factory.mktemp("show") / "store"
    changes = {
        "grid.methods": ["rsm"],
        "grid.ipc": [1],
        "grid.seeds": [0],
        "grid.eval_seeds": [0],
        "grid.protocol": "cpu-small@1[epochs_by_ipc=[[1000, 1]],evaluations=1]",
    }
    small = [
        "methods.diffusion.prior={width: 16, layers: 1, heads: 1, training: {steps: 2, batch: 8, warmup: 1}}",
        "methods.diffusion.finetune={steps: 2, batch: 8, warmup: 1}",
        "methods.diffusion.sampler={steps: 2}",
    ]
    config = load_config("digits", changes, small)
    plan, opened = make_plan(resolve(config)), open_store(root, create=True)
    for stage in plan.stages.values():
        assert run_stage(stage, str(root)).outcome == "ok"
    cells = [[vars(c), key] for c, key in plan.cells.items()]
    opened.write_run({"name": "digits", "config": config.model_dump(mode="json"), "cells": cells})
    return root


NAME = "digits/rsm/ipc1/seed0/convnet3-w32/eval0"


def shown(store, text, *arguments):
    done = invoke("show", text, "--store", store, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_everything_about_a_number(store):
    text = shown(store, NAME)
    head = text.partition("\n\n")[0].splitlines()[1:]
    lines = dict(line.split(maxsplit=1) for line in head if " " in line)
    assert text.startswith(f"{NAME}\n")
    assert lines["outcome"] == "ok" and lines["asked"] == "by   digits"
    assert "% at the last epoch (1)" in lines["top-1"] and "images right" in lines["top-1"]
    assert "torch" in lines["versions"] and "device cpu, 1 threads" in lines["machine"] and "commit" in lines
    for stage in ("prior", "fit", "distill", "evaluate"):
        assert " s, " in lines[stage] and "key " in lines[stage] and "MiB" in lines[stage]
        assert f"\n{stage}:\n" in text
    assert "denoising" not in lines["prior"], "values by timestep are in the document alone"
    document = json.loads(shown(store, NAME, "--json"))
    prior = next(stage for stage in document["stages"] if stage["stage"] == "prior")
    assert any(name.startswith("denoising/") for name in prior["logged"])
    assert (store / lines["log"]).is_file() and lines["set"].endswith("images.safetensors")
    assert "ddbench:RSM" in text


def test_the_document_holds_the_record_and_where_things_are(store):
    found = json.loads(shown(store, NAME, "--json"))
    assert found["record"]["key"] == found["key"] and found["cell"]["method"] == "rsm"
    assert [stage["stage"] for stage in found["stages"]] == ["prior", "fit", "distill", "evaluate"]
    assert all(stage["key"] and stage["peak_memory_mib"] for stage in found["stages"])
    accuracy = found["accuracy"]
    assert accuracy["last"] == accuracy["right"] / accuracy["images"]


def test_the_beginning_of_the_key_is_enough(store):
    key = json.loads(shown(store, NAME, "--json"))["key"]
    assert shown(store, key[:6]) == shown(store, key) == shown(store, NAME)


def fake(folder):
    records = [judged(cell(seed=s), [True, False, True, True], key=hexkey(0xABCD00 + s)[::-1]) for s in (0, 1)]
    records.append(record(cell("broken"), 0, outcome="failed", key=hexkey(7)))
    records.append(record(cell("two", protocol="p@1"), 0.5, key=hexkey(8)))
    records.append(record(cell("two", protocol="q@1"), 0.5, key=hexkey(9)))
    return stored(folder, records)


def test_a_failed_cell_says_why(tmp_path):
    fake(tmp_path / "s")
    text = shown(tmp_path / "s", "d/broken/ipc1/seed0/net/eval0")
    assert "outcome    failed: it broke\n" in text and "top-1" not in text


def test_a_cell_that_was_not_run_says_so(tmp_path):
    fake(tmp_path / "s")
    for path in (tmp_path / "s" / "records").glob(f"{hexkey(7)}*"):
        path.unlink()
    assert "outcome    not run\n" in shown(tmp_path / "s", "d/broken/ipc1/seed0/net/eval0")


def test_an_earlier_configuration_is_found_by_its_key(tmp_path):
    store = fake(tmp_path / "s")
    store.write_record(record(cell(), 0.75, key="f" * 32))
    store.write_run({"name": "later", "config": {}, "cells": [[vars(cell()), "f" * 32]]})
    assert "75.0 %" in shown(tmp_path / "s", str(cell()))
    earlier = shown(tmp_path / "s", hexkey(0xABCD00)[::-1][:8])
    assert "asked by   study\n" in earlier


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("d/m/ipc1/seed0/net/eval1", "Did you mean d/m/ipc1/seed0/net/eval0?"),
        ("d/m", "d/m is the beginning of 2 cells: d/m/ipc1/seed0/net/eval0, d/m/ipc1/seed1/net/eval0. Write one"),
        (
            "d/two/ipc1/seed0/net/eval0",
            "was judged in several ways: 000000000000 (s/test, p@1), 000000000000 (s/test, q@1)",
        ),
        ("0000", "3 keys begin with '0000'"),
        ("abcdef", "no key begins with 'abcdef'"),
        ("zzz", "no run on this store asked for 'zzz'. A cell is written like d/m/ipc1/seed0/net/eval0"),
    ],
)
def test_a_slip_is_one_message_with_the_nearest_cell(tmp_path, text, message):
    fake(tmp_path / "s")
    done = invoke("show", text, "--store", tmp_path / "s")
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr and done.stderr.count("\n") == 1


def test_numbers_that_a_stage_logged_are_shown():
    stage = {"seconds": 2.0, "peak_memory_mib": None, "peak_gpu_mib": None, "hardware": {}, "host": "", "git": None}
    logged = {"matched": 0.33297, "denoising/t0-99": 0.4}
    assert _stage({**stage, "key": "ab", "logged": logged}) == "2 s, matched 0.333, key ab"
