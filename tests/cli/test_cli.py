"""The ``bench`` command as a user meets it: exit codes, streams, messages."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ddbench.store.distilled import load_distilled
from ddbench.store.opening import open_store
from tests.support.invoke import invoke
from tests.support.store import make_store

BENCH = [sys.executable, "-m", "ddbench.cli.main"]


def bench(*arguments, cwd=None, **env):
    return subprocess.run(
        [*BENCH, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "200", **env},
    )


def run(study, store, *arguments):
    return invoke("run", "--config", study, "--store", store, "--executor", "inline", *arguments)


def test_help_names_every_verb():
    shown = bench("--help")
    assert shown.returncode == 0
    assert all(verb in shown.stdout for verb in ("run", "list", "table"))
    assert bench().returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rnu"], "No such command 'rnu'. Did you mean 'run'?"),
        (["run", "--method", "x"], "--methods"),
        (["run", "--methods", "rsmcgs"], "Did you mean 'rsm_cgs'?"),
        (["run", "--ipc", "1,x"], "--ipc 'x' is not a whole number. Example: --ipc 1,10,50"),
        (["run", "--ipc", "500"], "Use --ipc 106 or less."),
        (["run", "--seeds", "2-0"], "--seeds '2-0'"),
        (["run", "--set", "methods.rsm.objective.wieght=1"], "Did you mean 'weight'?"),
        (["run", "--config", "digit"], "Did you mean 'digits'?"),
        (["run", "--datasets", "imagenette"], "--set data.imagenette.root=FOLDER"),
        (["table", "--store", "/nonexistent/store"], "there is no store at /nonexistent/store"),
        (["list", "mehtods"], "unknown list 'mehtods'. Did you mean 'methods'?"),
        (["table", "--layout", "mian"], "'--layout': unknown layout 'mian'. Did you mean 'main'?"),
        (["plot", "cuves", "--out", "x.png"], "unknown figure 'cuves'. Did you mean 'curves'?"),
        (["new", "protcol", "x"], "unknown kind 'protcol'. Did you mean 'protocol'?"),
        (["list", "foo"], "unknown list 'foo'. Known: archs, configs"),
        (["list"], "Missing argument '{methods|datasets|archs|protocols|objectives|guidances|watchers|configs}'. (`"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_two(arguments, message, tmp_path):
    done = bench(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.startswith("bench: ")
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert os.listdir(tmp_path) == []


def test_debug_shows_the_traceback():
    assert "Traceback" in bench("run", "--methods", "nope", "--debug").stderr


@pytest.mark.slow
def test_listing_says_what_each_thing_is_and_where_it_comes_from():
    listed = json.loads(bench("list", "methods", "--json").stdout)
    assert {m["name"] for m in listed} >= {"random", "dm", "dit", "dit_ft", "minimax", "rsm", "cgs", "rsm_cgs"}
    assert all(m["summary"] and not m["summary"].startswith("BROKEN") for m in listed)
    assert all(m["origin"].startswith("dataset-distillation-bench") for m in listed)
    for what in ("datasets", "archs", "protocols", "configs"):
        rows = json.loads(bench("list", what, "--json").stdout)
        assert all(row["summary"] for row in rows)
        assert all(row["name"] in bench("list", what).stdout for row in rows)


def test_a_dry_run_writes_nothing_and_counts_what_is_to_run(tiny_study, tmp_path):
    done = run(tiny_study, tmp_path / "s", "--dry-run", "--json")
    document = json.loads(done.stdout)
    assert len(document["cells"]) == 6
    assert document["stages"]["fit"] == {"planned": 1, "to_run": 1}
    assert not (tmp_path / "s").exists()
    assert "6 cells" in run(tiny_study, tmp_path / "s", "--dry-run").stdout


def test_a_study_ends_with_its_table_and_again_with_the_same_from_the_store(tiny_study, tmp_path):
    store = tmp_path / "s"
    first = run(tiny_study, store, "--json")
    assert first.returncode == 0, first.stderr
    document = json.loads(first.stdout)
    assert document["cells"] == {"total": 6, "ok": 6, "failed": 0, "cached": 0, "skipped": 0}
    assert document["stages"]["prior"] == {"run": 1, "cached": 0}
    assert [row["method"] for row in document["table"]] == ["random", "rsm", "rsm_cgs"]
    assert all(0 < row["top1_mean"] < 1 for row in document["table"])
    assert len(list((store / "grids").rglob("*.png"))) == 6 + 1

    again = json.loads(run(tiny_study, store, "--json").stdout)
    assert again["cells"]["cached"] == 6
    assert all(n["run"] == 0 for n in again["stages"].values())
    assert again["table"] == document["table"]

    table = run(tiny_study, store)
    assert table.stdout.startswith("| dataset | arch | IPC | random | rsm* | rsm_cgs* |")
    assert table.stdout == bench("table", "--store", store).stdout
    for form, sign in (("latex", r"\toprule"), ("csv", "top1_mean"), ("json", '"top1_mean"')):
        assert sign in bench("table", "--store", store, "--format", form).stdout
    assert "optimistic" in bench("table", "--store", store, "--select", "best").stdout


def test_more_seeds_run_only_what_is_new(tiny_study, tmp_path):
    store = tmp_path / "s"
    run(tiny_study, store, "--methods", "random")
    document = json.loads(run(tiny_study, store, "--methods", "random", "--seeds", "0-2", "--json").stdout)
    assert document["cells"] == {"total": 3, "ok": 1, "failed": 0, "cached": 2, "skipped": 0}
    assert document["stages"]["distill"] == {"run": 1, "cached": 2}


def test_a_cell_that_raises_is_a_row_with_its_reason_and_exit_code_one(tiny_study, tmp_path):
    store = tmp_path / "s"
    done = run(tiny_study, store, "--methods", "random,dm", "--set", "methods.dm.augmentations=rotat", "--json")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert document["cells"] == {"total": 4, "ok": 2, "failed": 2, "cached": 0, "skipped": 0}
    assert "unknown augmentation 'rotat'" in document["failures"][0]["reason"]
    assert "unknown augmentation 'rotat'" in done.stderr
    assert "Traceback" not in done.stderr
    assert "(2 failed of 2)" in bench("table", "--store", store).stdout


def test_a_truncated_artifact_is_set_aside_and_made_again_byte_for_byte(tiny_study, tmp_path):
    store = tmp_path / "s"
    before = run(tiny_study, store, "--methods", "rsm").stdout
    (artifact,) = (store / "artifacts" / "fit").glob("*/0.safetensors")
    whole = artifact.read_bytes()
    artifact.write_bytes(whole[:100])
    done = run(tiny_study, store, "--methods", "rsm")
    assert done.returncode == 0
    assert "is damaged" in done.stderr
    assert "set aside" in done.stderr
    assert artifact.read_bytes() == whole
    assert done.stdout == before


def test_a_corrupt_record_is_made_again(tiny_study, tmp_path):
    store = tmp_path / "s"
    before = run(tiny_study, store, "--methods", "random").stdout
    next((store / "records").iterdir()).write_text("{")
    done = run(tiny_study, store, "--methods", "random")
    assert done.returncode == 0
    assert "is damaged" in done.stderr
    assert done.stdout == before


@pytest.mark.slow
@pytest.mark.parametrize("signal_, code", [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_a_run_stopped_in_mid_stage_resumes_to_the_undisturbed_table(tiny_study, tmp_path, signal_, code):
    undisturbed = run(tiny_study, tmp_path / "a")
    process = subprocess.Popen(
        [*BENCH, "run", "--config", str(tiny_study), "--store", str(tmp_path / "b"), "--executor", "inline"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stderr:  # the line of the fit: the stages behind it are under way
        if " fit " in line and "left" in line:
            break
    time.sleep(0.3)
    process.send_signal(signal_)
    rest = process.communicate(timeout=60)[1]
    assert process.returncode == code
    if signal_ == signal.SIGINT:
        assert "the same command goes on from there" in rest
    done = json.loads(run(tiny_study, tmp_path / "b", "--json").stdout)
    assert done["stages"]["fit"] == {"run": 0, "cached": 1}
    assert done["cells"]["ok"] > 0
    assert run(tiny_study, tmp_path / "b").stdout == undisturbed.stdout


def test_progress_goes_to_stderr_and_nothing_is_coloured_without_a_terminal(tiny_study, tmp_path):
    done = run(tiny_study, tmp_path / "s", "--methods", "random")
    assert "[1/4] distill digits/random/ipc1/seed0" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.slow
def test_a_set_distilled_in_shards_of_classes_is_the_set_distilled_at_once(tiny_study, tmp_path):
    one, many = tmp_path / "one", tmp_path / "many"
    run(tiny_study, one, "--seeds", "0")
    done = run(tiny_study, many, "--seeds", "0", "--set", "class_shards=4", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["stages"]["shard"]["run"] == 3 * 4

    def sets(store):
        opened = open_store(store, create=False)
        keys = {r.cell.method: r.config["evaluate"]["parents"][0] for r in opened.records()}
        return {method: load_distilled(opened, key) for method, key in keys.items()}

    for method, expected in sets(one).items():
        found = sets(many)[method]
        assert found.labels.tolist() == expected.labels.tolist()
        assert (found.images.int() - expected.images.int()).abs().max() <= 1  # a network's batch rounds the last bits


def test_a_gpu_that_is_not_there_is_refused_before_anything_is_written(tiny_study, tmp_path):
    options = ["--config", tiny_study, "--store", tmp_path / "s", "--set", "device=cuda"]
    done = bench("run", *options, CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 2
    assert "torch sees no GPU" in done.stderr and "Use --set device=cpu" in done.stderr
    assert not (tmp_path / "s").exists()


@pytest.mark.slow
def test_several_commands_take_a_store_by_its_place_or_by_name(tmp_path):
    make_store(tmp_path / "s")
    for command in (
        ["leaderboard"],
        ["report", "--out", tmp_path / "r.html"],
        ["plot", "ipc", "--out", tmp_path / "p.svg"],
    ):
        by_place, by_name = invoke(*command, tmp_path / "s"), invoke(*command, "--store", tmp_path / "s")
        assert by_place.returncode == by_name.returncode == 0, by_name.stderr
        assert by_place.stdout == by_name.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_an_output_that_cannot_be_written_is_one_sentence(tmp_path):
    make_store(tmp_path / "s")
    command = [*BENCH, "table", "--store", str(tmp_path / "s"), "--format", "md"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr == (
        "bench: the output cannot be written: No space left on device. Nothing in the store was lost.\n"
    )


def test_a_reader_that_has_enough_ends_the_command_without_a_word(tmp_path):
    make_store(tmp_path / "s")
    reader, writer = os.pipe()
    os.close(reader)
    command = [*BENCH, "table", "--store", str(tmp_path / "s"), "--format", "csv"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=120)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_list_whose_members_have_one_origin_does_not_repeat_it():
    assert "dataset-distillation-bench" not in invoke("list", "protocols").stdout
