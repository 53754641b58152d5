"""Exported sets: the exact pixels, names that stay inside, nothing overwritten, and what a run asked for."""

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from ddbench.api.export import asked_sets
from ddbench.api.run import Execution, run_plan
from ddbench.cli.export import export
from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.errors import BenchError
from ddbench.plan.asked import distilled_keys
from ddbench.plan.build import make_plan
from ddbench.results.export import export_set, safe_name, set_folder
from ddbench.stages.provenance import provenance
from ddbench.stages.run import run_stage
from ddbench.store.distilled import load_distilled
from ddbench.store.opening import open_store
from ddbench.types import LabeledImages
from tests.support.invoke import invoke
from tests.support.store import make_store

FACTS = {"dataset": "d", "split": "s", "method": "m", "ipc": 2, "seed": 0, "stages": [{"key": "0123abcd"}]}


def made(channels=3, classes=("a", "b", "c"), each=2):
    random = torch.Generator().manual_seed(0)
    return LabeledImages(
        images=torch.randint(0, 256, (each * len(classes), channels, 5, 7), generator=random, dtype=torch.uint8),
        labels=torch.arange(len(classes)).repeat_interleave(each),
        classes=tuple(classes),
    )


def metadata(folder):
    return [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]


def pixels(path):
    image = np.asarray(Image.open(path))
    return torch.tensor(image[None] if image.ndim == 2 else image.transpose(2, 0, 1))


def everything(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("channels", [1, 3])
def test_every_pixel_comes_back_through_the_metadata(channels, tmp_path):
    data = made(channels)
    assert export_set(tmp_path / "set", data, FACTS)
    lines = metadata(tmp_path / "set")
    assert torch.equal(torch.stack([pixels(tmp_path / "set" / line["file_name"]) for line in lines]), data.images)
    assert [line["class_index"] for line in lines] == data.labels.tolist()
    assert [line["label"] for line in lines] == ["a", "a", "b", "b", "c", "c"]


def test_there_is_a_folder_for_each_class_and_nothing_that_the_metadata_does_not_name(tmp_path):
    export_set(tmp_path / "set", made(classes=("n01", "n02")), FACTS)
    assert {str(p) for p in everything(tmp_path / "set")} == {
        "n01/0.png",
        "n01/1.png",
        "n02/0.png",
        "n02/1.png",
        "metadata.jsonl",
        "README.md",
    }
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


def test_names_of_images_sort_in_the_order_of_the_set(tmp_path):
    export_set(tmp_path / "set", made(each=12), FACTS)
    names = [line["file_name"] for line in metadata(tmp_path / "set")]
    assert names == sorted(names)
    assert names[10] == "a/10.png"


HOSTILE = ["../x", "/etc/x", "..", ".", "", "a/b", "a\\b", ".hidden", "-rf", "new\nline", "a" * 300, "面" * 90, "nul\0"]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_leaves_the_folder(name, tmp_path):
    folder = set_folder(tmp_path / "out", name, name, 1, 0)
    assert len(folder.relative_to(tmp_path / "out").parts) == 3
    assert ".." not in folder.parts
    export_set(folder, made(classes=(name, "other")), {**FACTS, "method": name, "dataset": name})
    assert {path.name for path in tmp_path.iterdir()} == {"out"}
    lines = metadata(folder)
    assert {line["label"] for line in lines} == {name, "other"}
    assert all((folder / line["file_name"]).resolve().parent.parent == folder.resolve() for line in lines)


def test_names_that_differ_stay_apart_and_plain_ones_stay_as_they_are():
    assert len({safe_name(name) for name in [*HOSTILE, "a_b", "x", "_"]}) == len(HOSTILE) + 3
    assert [safe_name(name) for name in ("rsm_cgs", "n01440764", "cpu-small@1", "größe")] == [
        "rsm_cgs",
        "n01440764",
        "cpu-small@1",
        "größe",
    ]


def test_the_same_set_again_is_left_alone_and_any_other_is_refused(tmp_path):
    export_set(tmp_path / "set", made(), FACTS)
    before = everything(tmp_path / "set")
    assert not export_set(tmp_path / "set", made(), FACTS)
    other = made()
    other.images[0, 0, 0, 0] ^= 1
    with pytest.raises(BenchError, match="holds something else"):
        export_set(tmp_path / "set", other, FACTS)
    with pytest.raises(BenchError, match="holds something else"):
        export_set(tmp_path / "set", made(), {**FACTS, "seed": 1})
    (tmp_path / "set" / "a" / "notes.txt").write_text("mine")
    with pytest.raises(BenchError, match="holds something else"):
        export_set(tmp_path / "set", made(), FACTS)
    (tmp_path / "set" / "a" / "notes.txt").unlink()
    assert everything(tmp_path / "set") == before


def test_a_set_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchError, match="cannot write"):
        export_set(tmp_path / "file" / "set", made(), FACTS)
    with pytest.raises(BenchError, match="1 or 3 channels"):
        export_set(tmp_path / "set", made(channels=2), FACTS)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_card_is_a_yaml_header_and_the_facts_as_json(tmp_path):
    import yaml

    facts = {**FACTS, "method": "m\n---\n# <b>x", "note": "```"}
    export_set(tmp_path / "set", made(), facts)
    card = (tmp_path / "set" / "README.md").read_text()
    _, header, body = card.split("---\n", 2)
    assert yaml.safe_load(header)["license"] == "other"
    assert json.loads(body.split("```json\n")[1].split("\n```\n")[0]) == facts
    assert "\n# <b>" not in body
    assert "stay under the terms of d" in body


def bench(*arguments):
    """Exit code or error, lines on stdout, text on stderr."""
    done = CliRunner().invoke(export, [str(a) for a in arguments], standalone_mode=False)
    return done.exception or done.return_value, done.stdout.splitlines(), done.stderr


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A store whose run asked for four sets; that of ipc 2 and seed 1 was not judged, the others by one classifier of
    two."""
    store = open_store(tmp_path_factory.mktemp("filled") / "store", create=True)
    changes = {"methods": ["random"], "ipc": [1, 2], "seeds": [0, 1], "eval_seeds": [0, 1]}
    plan = make_plan(resolve(load_config("digits", {f"grid.{k}": v for k, v in changes.items()}, [])))
    store.write_run({"cells": [[vars(cell), key] for cell, key in plan.cells.items()]})
    for stage in plan.stages.values():
        left_out = any((cell.ipc, cell.seed) == (2, 1) for cell, key in plan.cells.items() if key == stage.key)
        once = stage.kind == "distill" or stage.task["cell"]["eval_seed"] == 1
        if once and not left_out:
            assert run_stage(stage, str(store.root)).outcome == "ok"
    return store, plan


def test_all_sets_of_a_store_are_exported_and_the_missing_ones_said(filled, tmp_path):
    store, plan = filled
    code, folders, said = bench("--store", store.root, "--out", tmp_path / "out")
    expected = [tmp_path / "out/digits/random" / name for name in ("ipc1-seed0", "ipc1-seed1", "ipc2-seed0")]
    assert (code, [Path(f) for f in folders]) == (1, expected)
    assert "digits/random/ipc2/seed1 has not been made or judged yet" in said
    assert "4 distilled sets: 3 written, 0 already there, 1 missing" in said
    for cell, key in plan.cells.items():
        folder = set_folder(tmp_path / "out", cell.dataset, cell.method, cell.ipc, cell.seed)
        if folder.exists():
            stored = load_distilled(store, plan.stages[key].parents[0])
            found = torch.stack([pixels(folder / line["file_name"]) for line in metadata(folder)])
            assert torch.equal(found, stored.images)
    again = bench("--store", store.root, "--out", tmp_path / "out")
    assert "0 written, 3 already there, 1 missing" in again[2]


def test_a_set_that_is_not_judged_yet_is_exported(filled, tmp_path):
    store, plan = filled
    copy = tmp_path / "store"
    shutil.copytree(store.root, copy)
    for record in (copy / "records").iterdir():
        record.unlink()
    (run,) = (copy / "runs").glob("*.json")
    told = json.loads(run.read_text())
    told["distilled"] = {key: plan.stages[key].parents[0] for key in plan.cells.values()}
    run.write_text(json.dumps(told))
    stage = next(s for s in plan.stages.values() if s.kind == "distill" and (s.task["ipc"], s.task["seed"]) == (1, 1))
    shutil.rmtree(copy / "artifacts/distill" / stage.key)
    code, folders, said = bench("--store", copy, "--out", tmp_path / "out")
    assert (code, [Path(f).name for f in folders]) == (1, ["ipc1-seed0", "ipc2-seed0", "ipc2-seed1"])
    assert "digits/random/ipc1/seed1 has not been made yet" in said
    card = (tmp_path / "out/digits/random/ipc1-seed0/README.md").read_text()
    assert "(split stratified-60-20-20)" in card


def test_a_run_tells_the_set_of_each_cell_before_any_is_made(tmp_path):
    store = open_store(tmp_path / "store", create=True)
    changes = {"methods": ["random", "full"], "ipc": [1], "seeds": [0], "eval_seeds": [0]}
    config = load_config("digits", {f"grid.{k}": v for k, v in changes.items()}, [])
    plan = make_plan(resolve(config))

    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_plan(config, plan, store.root, Execution("inline"), stop)
    (distill,) = (stage.key for stage in plan.stages.values() if stage.kind == "distill")
    split = "stratified-60-20-20/test"
    assert list(distilled_keys(store).values()) == [(distill, split)]


SPLITS = ("ice cream", "ice-age", "train", "test", "[a-z]*", "0", "größe", "-rf", "a'b\"c", "x" * 200)


def test_class_folders_keep_their_names_so_that_loaders_agree_on_the_order(tmp_path):
    from torchvision.datasets import ImageFolder

    for name in SPLITS:
        (tmp_path / "val" / name).mkdir(parents=True)
        Image.new("RGB", (5, 5)).save(tmp_path / "val" / name / "x.png")
    theirs = ImageFolder(str(tmp_path / "val"))
    data = made(classes=SPLITS)
    export_set(tmp_path / "set", data, FACTS)
    ours = ImageFolder(str(tmp_path / "set"))
    assert ours.class_to_idx == theirs.class_to_idx
    for image, number in ours:
        found = torch.tensor(np.asarray(image).transpose(2, 0, 1))
        assert any(torch.equal(found, one) for one in data.of_class(SPLITS.index(ours.classes[number])))


def test_the_loading_calls_of_the_card_see_every_class_whatever_it_is_called(tmp_path, monkeypatch):
    import datasets
    from torchvision.datasets import ImageFolder

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "set"
    export_set(folder, made(classes=SPLITS), FACTS)
    card = (folder / "README.md").read_text()
    calls = re.findall(
        r"^    ((?:datasets|torchvision\.datasets)\..*\))", card.replace("path/to/this/folder", str(folder)), re.M
    )
    assert len(calls) == 3
    torchvision = SimpleNamespace(datasets=SimpleNamespace(ImageFolder=ImageFolder))
    first, second, third = (eval(call, {"datasets": datasets, "torchvision": torchvision}) for call in calls)
    assert (len(first), len(second), len(third)) == (20, 20, 20)
    assert sorted(second["label"]) == sorted(2 * SPLITS)
    assert third.features["label"].names == first.classes == sorted(SPLITS)
    assert "`data_dir=` with `imagefolder` does not" in card


def test_two_classes_never_share_a_folder(tmp_path):
    with pytest.raises(BenchError, match="would share the folder"):
        export_set(tmp_path / "set", made(classes=("a/b", safe_name("a/b"))), FACTS)


def test_options_choose_sets_and_a_name_that_no_run_asked_for_is_an_error(filled, tmp_path):
    where = ["--store", filled[0].root, "--out", tmp_path]
    code, folders, _ = bench(*where, "--methods", "random", "--datasets", "digits", "--ipc", "1", "--seeds", "1-1")
    assert (code, [Path(f).name for f in folders]) == (0, ["ipc1-seed1"])
    assert "Did you mean 'random'?" in str(bench(*where, "--methods", "randon")[0])
    assert "unknown ipc '3'" in str(bench(*where, "--ipc", "3")[0])


def test_the_card_tells_key_versions_and_commit_but_no_place_on_this_machine(filled, tmp_path):
    store, plan = filled
    copy = tmp_path / "store"
    shutil.copytree(store.root, copy)
    stage = next(s for s in plan.stages.values() if s.kind == "distill" and (s.task["ipc"], s.task["seed"]) == (1, 0))
    manifest = copy / "artifacts/distill" / stage.key / "manifest.json"
    content = json.loads(manifest.read_text())
    content["task"]["dataset"]["root"] = "/home/somebody/imagenet"
    manifest.write_text(json.dumps(content))
    bench("--store", copy, "--out", tmp_path / "out", "--ipc", "1", "--seeds", "0")
    card = (tmp_path / "out/digits/random/ipc1-seed0/README.md").read_text()
    facts = json.loads(card.split("```json\n")[1].split("\n```\n")[0])
    (told,) = facts["stages"]
    assert (facts["split"], told["key"]) == ("stratified-60-20-20", stage.key)
    assert told["task"]["method"] == stage.task["method"]
    assert told["made_with"] == {name: provenance()[name] for name in ("python", "packages", "git")}
    assert told["task"]["dataset"]["root"] == ".../imagenet"
    assert "somebody" not in card


def test_a_damaged_set_is_said_and_the_others_are_written(filled, tmp_path):
    store, plan = filled
    copy = tmp_path / "store"
    shutil.copytree(store.root, copy)
    stage = next(s for s in plan.stages.values() if s.kind == "distill" and (s.task["ipc"], s.task["seed"]) == (1, 0))
    file = copy / "artifacts/distill" / stage.key / "images.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    code, folders, said = bench("--store", copy, "--out", tmp_path / "out", "--ipc", "1")
    assert (code, [Path(f).name for f in folders]) == (1, ["ipc1-seed1"])
    assert "is damaged" in said


def test_of_two_configurations_of_a_set_the_latest_run_counts(tmp_path):
    store = open_store(tmp_path / "store", create=True)
    cell = {"dataset": "d", "method": "m", "ipc": 1, "seed": 0}
    store.write_run({"cells": [[cell, "old"], [{**cell, "seed": 1}, "kept"]]})
    store.write_run({"cells": [[cell, "new"], [cell, "new, other classifier"]]})
    assert list(asked_sets(store).values()) == [["new", "new, other classifier"], ["kept"]]


def test_the_card_of_a_set_made_in_shards_names_its_prior_and_fine_tune(tiny_study, tmp_path):
    store, out = tmp_path / "store", tmp_path / "out"
    options = ["--methods", "rsm", "--seeds", "0", "--executor", "inline", "--set", "class_shards=2"]
    assert invoke("run", "--config", tiny_study, "--store", store, *options).returncode == 0
    assert invoke("export", "--store", store, "--out", out).returncode == 0
    (card,) = out.rglob("README.md")
    facts = json.loads(card.read_text().partition("```json\n")[2].partition("\n```")[0])
    assert [stage["stage"] for stage in facts["stages"]] == ["prior", "fit", "distill"]


def test_all_real_images_are_no_set_and_a_skipped_one_is_said_with_its_reason(tmp_path):
    def outcome(cell):
        return "skipped" if (cell.method, cell.ipc) == ("dm", 2) else "ok"

    reason = "the method needs an ipc of 1 to 1"
    asked = {"methods": ("random", "dm"), "seeds": 1, "eval_seeds": 1}
    store = make_store(tmp_path / "store", **asked, whole=True, outcome=outcome, reason=reason)
    done = invoke("export", "--store", store.root, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert f"digits/dm/ipc2/seed0 was skipped: {reason}" in done.stderr
    assert "4 distilled sets: 3 written, 0 already there, 0 missing, 1 skipped" in done.stderr
    assert not (tmp_path / "out/digits/full").exists()
