"""``bench shift``: what it measures, keeps, shares with other stages, and says when there is nothing to measure."""

import csv
import io
import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import ClassVar

import pytest
from diffusers import AutoencoderKL

from ddbench.api.shift import load_shift, space_of
from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.evaluators.shift.measure import Shift
from ddbench.methods.diffusion.codec import DiffusersCodec
from ddbench.plan.build import make_plan
from ddbench.plan.shift import REAL, plan_shift
from ddbench.stages.run import run_stage
from ddbench.store.opening import open_store
from ddbench.types import Preparation, Record
from tests.conftest import TINY_STUDY
from tests.support.invoke import invoke, own_process
from tests.support.light import loaded_by_command

TINY_SPACE = ("--set", "network=convnet3-w32", "--set", "epochs=1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A store with the sets of ``random`` and ``rsm``, of two seeds."""
    folder = tmp_path_factory.mktemp("shift")
    (folder / "tiny.yaml").write_text(TINY_STUDY)
    run(folder, {"grid.methods": ["random", "rsm"]})
    return folder


def run(folder, changes, *assignments):
    """What ``bench run`` leaves behind, but for the judging, which takes seconds and of which nothing here is read."""
    config = load_config(str(folder / "tiny.yaml"), changes, assignments)
    plan, store = make_plan(resolve(config)), open_store(folder / "store", create=True)
    for stage in plan.stages.values():
        if stage.kind != "evaluate":
            assert run_stage(stage, str(store.root)).outcome == "ok"
    for cell, key in plan.cells.items():
        evaluate = {"evaluate": plan.stages[key].task}
        store.write_record(Record(key=key, cell=cell, outcome="ok", curve=((1, 0.5),), config=evaluate))
    cells = [[vars(cell), key] for cell, key in plan.cells.items()]
    store.write_run({"name": config.name, "config": config.model_dump(mode="json"), "cells": cells})


def shift(folder, *arguments):
    return invoke("shift", "--store", folder / "store", "--executor", "inline", *arguments)


@pytest.fixture
def store(folder, tmp_path):
    """A copy of the store, with nothing measured, to do harm to."""
    shutil.copytree(folder, tmp_path / "copy")
    for kind in ("shift", "embed"):
        shutil.rmtree(tmp_path / "copy" / "store" / "artifacts" / kind, ignore_errors=True)
    return tmp_path / "copy"


def artifacts(folder):
    return {path.parent.name: path.read_bytes() for path in folder.rglob("artifacts/shift/*/shift.json")}


def test_every_set_gets_a_row_and_real_draws_stand_beside(folder):
    done = shift(folder, *TINY_SPACE, "--format", "json")
    assert done.returncode == 0, done.stderr
    found = {row["method"]: row for row in json.loads(done.stdout)}
    assert list(found) == [REAL, "random", "rsm"]
    assert {row["distilled_sets"] for row in found.values()} == {2}
    assert {(row["dataset"], row["split"], row["ipc"]) for row in found.values()} == {
        ("digits", "stratified-60-20-20", 1)
    }
    assert found["random"]["copies"] == found["random"]["close"] == 1
    assert found[REAL]["copies"] == found["rsm"]["copies"] == 0
    assert found["random"]["nearest_ratio"] == pytest.approx(0, abs=1e-3)
    assert found["rsm"]["mean_shift"] > found[REAL]["mean_shift"] > 0
    assert found["random"]["recall"] is None and found["random"]["mean_shift_sd"] > 0
    assert {row["latent_space"] for row in found.values()} == {"pixels"}


def test_again_nothing_is_run_and_the_formats_agree(folder):
    shift(folder, *TINY_SPACE)
    before = artifacts(folder)
    table, form = shift(folder, *TINY_SPACE), shift(folder, *TINY_SPACE, "--format", "csv")
    assert table.stderr == "" and artifacts(folder) == before
    assert "| random |" in table.stdout and "| 100 ± 0 |" in table.stdout and "5-nearest" in table.stdout
    rows = list(csv.DictReader(io.StringIO(form.stdout)))
    assert [row["method"] for row in rows] == [REAL, "random", "rsm"] and float(rows[1]["copies"]) == 1


def test_every_format_goes_to_a_file(folder, tmp_path):
    for form in ("md", "latex", "csv", "json", "parquet"):
        done = shift(folder, *TINY_SPACE, "--format", form, "--out", tmp_path / form)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        assert (tmp_path / form).stat().st_size
    assert r"\begin{tabular}" in (tmp_path / "latex").read_text()


def test_the_same_bytes_twice(store):
    shift(store, *TINY_SPACE)
    first = artifacts(store)
    shutil.rmtree(store / "store" / "artifacts" / "shift")
    shutil.rmtree(store / "store" / "cache", ignore_errors=True)
    shift(store, *TINY_SPACE)
    assert artifacts(store) == first and len(first) == 6


def test_the_pixels_are_a_space_that_trains_nothing(store):
    done = shift(store, "--space", "pixels", "--format", "json")
    assert done.returncode == 0 and {row["space"] for row in json.loads(done.stdout)} == {"pixels"}
    assert not (store / "store" / "artifacts" / "embed").exists()


def test_the_embedder_is_the_one_of_the_coresets(folder):
    space = space_of("trained", ())
    found = plan_shift(open_store(folder / "store", create=False), space, Shift())
    (embed,) = [key for key, stage in found.plan.stages.items() if stage.kind == "embed"]
    changes = {"grid.methods": ["herding"], "grid.seeds": [0]}
    assert embed in make_plan(resolve(load_config(str(folder / "tiny.yaml"), changes, []))).stages


def test_sets_without_a_prior_are_looked_at_in_the_latents_of_the_others(folder):
    found = plan_shift(open_store(folder / "store", create=False), None, Shift())
    priors = {found.plan.stages[key].task["prior_key"] for key in found.keys.values()}
    assert len(priors) == 1 and len(found.keys) == 6 and not found.absent


def test_latents_are_those_of_the_autoencoder_that_the_prior_has(tmp_path):
    (tmp_path / "tiny.yaml").write_text(TINY_STUDY)
    vae = AutoencoderKL(
        in_channels=1,
        out_channels=1,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 8),
        norm_num_groups=4,
    )
    vae.save_pretrained(tmp_path / "vae")
    autoencoder = f"{{type: KLAutoencoder, source: {tmp_path / 'vae'}}}"
    changes = {"grid.methods": ["dit", "random"], "grid.seeds": [0]}
    run(tmp_path, changes, f"methods.diffusion.prior.autoencoder={autoencoder}")
    done = shift(tmp_path, "--space", "pixels", "--format", "json")
    rows = json.loads(done.stdout)
    spaces = {row["latent_space"] for row in rows}
    assert spaces == {DiffusersCodec(vae).identity()}
    assert all(row["latent_abs"] > 0 for row in rows)


def test_the_space_and_its_options_are_part_of_the_key(folder):
    store = open_store(folder / "store", create=False)
    spaces = [None, space_of("trained", ()), space_of("trained", ("epochs=1",))]
    keys = [set(plan_shift(store, space, Shift()).keys.values()) for space in spaces]
    keys.append(set(plan_shift(store, None, Shift(neighbours=3)).keys.values()))
    assert len(set().union(*keys)) == 4 * 6


def test_sets_that_are_not_made_are_said_so_and_not_averaged(store):
    opened = open_store(store / "store", create=False)
    last = opened.runs()[-1]
    cells = [[{**cell, "seed": 9}, "0" * 32] for cell, _ in last["cells"] if cell["method"] == "rsm"]
    opened.write_run({**last, "cells": [*last["cells"], *cells]})
    done = shift(store, "--space", "pixels")
    assert done.returncode == 1
    assert "digits/rsm/ipc1/seed9: not made or not judged yet" in done.stderr
    assert "1 missing of 3" in done.stdout and "| random | " in done.stdout


def test_what_is_damaged_is_made_again(store):
    shift(store, "--space", "pixels")
    first = artifacts(store)
    (store / "store" / "artifacts" / "shift" / min(first) / "shift.json").write_text("{}")
    done = shift(store, "--space", "pixels")
    assert done.returncode == 0 and "set aside" in done.stderr and artifacts(store) == first


def test_a_damaged_set_is_said_so(store):
    path = next((store / "store" / "artifacts" / "distill").glob("*/images.safetensors"))
    path.write_bytes(bytes(path.stat().st_size))
    done = shift(store, "--space", "pixels")
    assert done.returncode == 1 and "is damaged" in done.stderr and "makes it again" in done.stderr


def test_a_set_of_another_version_of_the_dataset_is_not_compared_with_this_one(store):
    path = next((store / "store" / "artifacts" / "distill").glob("*/manifest.json"))
    manifest = json.loads(path.read_text())
    manifest["task"]["dataset"]["fingerprint"] = "other"
    path.write_text(json.dumps(manifest))
    done = shift(store, "--space", "pixels")
    assert done.returncode == 1 and done.stderr.count("made from another version of the dataset") == 1


def test_a_damaged_prior_is_said_so(store):
    path = next((store / "store" / "artifacts" / "prior").rglob("*.safetensors"))
    path.write_bytes(b"")
    done = shift(store, "--space", "pixels")
    assert done.returncode == 1 and "the prior artifact" in done.stderr


def test_what_was_measured_can_be_loaded_without_computing(store):
    opened = open_store(store / "store", create=False)
    before = load_shift(opened, "pixels")
    assert {m.measures for m in before} == {None} and "bench shift" in before[0].note
    shift(store, "--space", "pixels")
    after = load_shift(opened, "pixels")
    assert [(m.method, m.seed) for m in after][:2] == [(REAL, 0), (REAL, 1)]
    assert all(m.measures for m in after)


def test_nothing_is_to_run_where_no_run_asked_for_anything(tmp_path):
    store = open_store(tmp_path / "s", create=True)
    assert plan_shift(store, None, Shift()).plan.stages == {}
    done = invoke("shift", "--store", tmp_path / "s", "--format", "json")
    assert (done.returncode, json.loads(done.stdout)) == (0, [])


@dataclass(frozen=True)
class Brightness(Preparation):
    """A space of one feature, as a plug-in would add one."""

    stage: ClassVar = "embed"
    scale: float = 2.0

    def run(self, real, before, ctx):
        return self

    def save(self, state, folder):
        (folder / "nothing").write_text("")

    def load(self, folder, before, ctx):
        return self

    def features(self, images):
        return self.scale * images.float().mean((1, 2, 3))[:, None]


def test_a_plug_in_brings_a_space_by_its_name(folder):
    done = shift(folder, "--space", "tests.cli.test_shift_command:Brightness", "--set", "scale=0.5", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["space"] == "tests.cli.test_shift_command:Brightness (scale 0.5)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--space", "traind"), "unknown space 'traind'. Did you mean 'trained'?"),
        (("--space", "nowhere:Space"), "the space 'nowhere:Space' cannot be imported"),
        (("--space", "ddbench.evaluators.shift.measure:Shift"), "is a Shift, not a Preparation"),
        (("--set", "epoch=1"), "Did you mean 'epochs'?"),
        (("--set", "epochs"), "is not key=value"),
        (("--set", "epochs=[1"), "is not a YAML value"),
        (("--space", "pixels", "--set", "epochs=1"), "has no options"),
        (("--format", "terminal", "--out", "shift.txt"), "leave out --out"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input_is_refused(folder, arguments, message):
    done = shift(folder, *arguments)
    assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1


def test_help_imports_nothing_heavy():
    assert loaded_by_command("shift", "--help") == []


SLOW = '''
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ddbench.types import Preparation


class Pixels:
    def features(self, images):
        return images.flatten(1).float()


@dataclass(frozen=True)
class Slow(Preparation):
    """Pixels, after a while."""

    stage: ClassVar[str] = "embed"
    begun: str = ""

    def run(self, real, before, ctx):
        Path(self.begun).touch()
        time.sleep(2)

    def save(self, state, folder):
        (folder / "nothing").touch()

    def load(self, folder, before, ctx):
        return Pixels()
'''


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_waits_for_what_is_under_way_as_during_a_run(folder, tmp_path, number):
    root, begun, plugin = tmp_path / "s", tmp_path / "begun", tmp_path / "slowspace.py"
    shutil.copytree(folder / "store", root, ignore=shutil.ignore_patterns("shift", "embed"))
    plugin.write_text(SLOW)
    command = ["shift", "--store", root, "--plugin", plugin, "--space", "slowspace:Slow", "--set", f"begun={begun}"]
    command += ["--executor", "inline", "--format", "json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "ddbench.cli.main", *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while not begun.exists() and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(number)
    out, errors = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "stopping: nothing more is started, 1 under way are waited for (embed" in errors
    assert "interrupted. What is finished is kept" in errors
    kinds = [kind for kind, _ in open_store(root, create=False).artifacts()]
    assert "embed" in kinds
    assert "shift" not in kinds
    begun.unlink()
    again = own_process(*command)
    assert again.returncode == 0, again.stderr
    assert not begun.exists()
    assert all(row["mean_shift"] is not None for row in json.loads(again.stdout))
