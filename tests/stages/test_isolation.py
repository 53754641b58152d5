"""A stage leaves its process as it found it: what a plug-in changed is put back, told, and on the record."""

import json
from pathlib import Path

import pytest
import torch

import ddbench.evaluators.classifier as classifier
from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.execute.inline import Inline
from ddbench.execute.observer import Observer
from ddbench.execute.schedule import run_schedule, to_run
from ddbench.plan.build import make_plan
from ddbench.plugins.loaded import file_digest
from ddbench.store.opening import open_store
from tests.plugins.test_plugin_slips import DATASET
from tests.plugins.test_plugins import plugin  # noqa: F401  (a fixture
from tests.support.invoke import invoke

METHOD = '''
import os
import warnings
from dataclasses import dataclass
from typing import ClassVar

import torch

from ddbench.plugins.registry import register
from ddbench.types import Distiller, LabeledImages, Preparation
# AT IMPORT


@dataclass(frozen=True)
class Made(Preparation):
    stage: ClassVar[str] = "embed"

    def run(self, real, before, ctx):
        return 1

    def save(self, state, folder):
        (folder / "state.txt").write_text("1")
        # SAVE

    def load(self, folder, before, ctx):
        return 1


@register("method", "mine")
@dataclass(frozen=True)
class Mine(Distiller):
    """The first images of each class."""

    def preparations(self, seed):
        return (Made(),)

    def distill(self, real, state, ipc, ctx):
        index = torch.cat([(real.labels == k).nonzero()[:ipc, 0] for k in range(len(real.classes))])
        # DISTILL
        return LabeledImages(images=real.images[index], labels=real.labels[index], classes=real.classes)
'''

JUDGED = "cpu-small@1[epochs_by_ipc=[[1000,1]],evaluations=1]"


class Hears(Observer):
    def __init__(self):
        self.said = []

    def say(self, message):
        self.said.append(message)


def study(path, **grid):
    grid = {"methods": ["mine"], "ipc": [1], "seeds": [0], "eval_seeds": [0], "protocol": JUDGED, **grid}
    changes = {f"grid.{name}": value for name, value in grid.items()}
    return make_plan(resolve(load_config("digits", {**changes, "plugins": [str(path)]}, [])))


def run(plan, folder):
    """(summary, what was said, store) of a plan that is run in this process."""
    store, hears = open_store(folder, create=True), Hears()
    summary = run_schedule(plan, store, to_run(plan, store, hears), Inline(str(store.root)), hears)
    return summary, hears.said, store


CHANGES = {
    "c17 dtype": ("torch.set_default_dtype(torch.float64)", "torch's default dtype: torch.float32 -> torch.float64"),
    "c19 no grad": ("torch.set_grad_enabled(False)", "torch's grad mode: True -> False"),
    "environment": ("os.environ['MY_TOKEN'] = 'x'", "environment: MY_TOKEN added"),
    "folder": ("os.chdir('/')", "working folder: changed"),
    "warnings": ("warnings.simplefilter('ignore')", "warnings filters: 1 added"),
    "threads": ("torch.set_num_threads(3)", "torch's threads: 1 -> 3"),
    "generator": ("torch.rand(1)", "torch's generator: drawn from or seeded"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_put_back_told_once_and_recorded(change, plugin, tmp_path):  # noqa: F811
    line, told = CHANGES[change]
    path = plugin(f"changes_{list(CHANGES).index(change)}", METHOD.replace("# DISTILL", line))
    before = Path.cwd(), torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled()
    summary, said, store = run(study(path, seeds=[0, 1]), tmp_path / "store")
    assert (Path.cwd(), torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled()) == before
    assert [message for message in said if told in message] == said
    assert len(said) == 1 and said[0].startswith("distill digits/mine/ipc1/seed0 changed")
    assert [(stage.kind, changes) for stage, changes in summary.changed] == [("distill", (told,))] * 2
    for record in store.records():
        assert record.outcome == "ok" and record.run["changed_state"] == {"distill": [told]}


def test_another_method_gets_the_number_that_it_gets_alone(plugin, tmp_path):  # noqa: F811
    path = plugin("changes_all", METHOD.replace("# DISTILL", "; ".join(line for line, _ in CHANGES.values())))
    beside = run(study(path, methods=["mine", "random"]), tmp_path / "beside")[2].records()
    alone = run(study(path, methods=["random"]), tmp_path / "alone")[2].records()
    (one,), (other,) = ([r.content() for r in records if r.cell.method == "random"] for records in (beside, alone))
    assert one == other


def test_what_saving_changes_is_in_the_manifest(plugin, tmp_path):  # noqa: F811
    path = plugin("changes_save", METHOD.replace("# SAVE", "torch.set_default_dtype(torch.float64)"))
    plan = study(path)
    _, _, store = run(plan, tmp_path / "store")
    (key,) = [key for key, stage in plan.stages.items() if stage.kind == "embed"]
    told = "torch's default dtype: torch.float32 -> torch.float64"
    assert store.manifest("embed", key)["run"]["changed_state"] == [told]
    (record,) = store.records()
    assert record.run["changed_state"] == {"embed": [told]}


def test_what_loading_a_dataset_changes_reaches_no_classifier(plugin, tmp_path):  # noqa: F811
    plain = plugin("data_plain", DATASET.replace("import torch", "import torch  # as it is"))
    honest = run(study(plain, datasets=["mine"], methods=["random"]), tmp_path / "one")[2].records()
    changed = DATASET.replace('"mine"', '"other"').replace(
        "        return Labeled", "        torch.set_default_dtype(torch.float64)\n        return Labeled"
    )
    path = plugin("data_changing", changed)
    records = run(study(path, datasets=["other"], methods=["random"]), tmp_path / "two")[2].records()
    assert records[0].run["changed_state"].keys() == {"distill", "evaluate"}
    assert records[0].curve == honest[0].curve


def test_what_importing_a_plug_in_changes_is_put_back_and_told(plugin, tmp_path):  # noqa: F811
    path = plugin("changes_import", METHOD.replace("# AT IMPORT", "torch.set_default_dtype(torch.float64)"))
    _, said, store = run(study(path), tmp_path / "store")
    assert torch.get_default_dtype() == torch.float32
    assert "changes_import.py at its import: torch's default dtype" in said[0]
    (record,) = store.records()
    (mine,) = [p for p in record.run["provenance"]["plugins"] if p["path"] == str(path)]
    assert mine["changed_state"] == ["torch's default dtype: torch.float32 -> torch.float64"]


PATCH = "import ddbench.evaluators.classifier as c; old = c._hits; c._hits = lambda *a: old(*a) | True"


def test_a_plug_in_that_replaces_a_part_of_the_harness_at_import_is_refused(plugin):  # noqa: F811
    path, before = plugin("c9_import", METHOD.replace("# AT IMPORT", PATCH)), classifier._hits
    done = invoke("run", "--plugin", path, "--methods", "mine", "--dry-run")
    assert done.returncode == 2
    assert f"the plug-in {path} replaced ddbench.evaluators.classifier._hits" in done.stderr
    assert classifier._hits is before


@pytest.mark.parametrize(
    ("place", "line", "name", "failed"),
    [
        ("# DISTILL", PATCH, "ddbench.evaluators.classifier._hits", "distill"),
        ("# DISTILL", "torch.Tensor.argmax = lambda self, *a: self", "torch.Tensor.argmax", "distill"),
        ("# SAVE", PATCH, "ddbench.evaluators.classifier._hits", "embed"),
    ],
)
def test_a_stage_that_replaces_a_part_of_the_harness_fails(place, line, name, failed, plugin, tmp_path):  # noqa: F811
    path = plugin(f"c9_{failed}_{len(name)}", METHOD.replace(place, line))
    before = classifier._hits, torch.Tensor.argmax
    summary, _, store = run(study(path, methods=["mine", "random"]), tmp_path / "store")
    assert (classifier._hits, torch.Tensor.argmax) == before
    ((stage, reason),) = summary.failures
    assert stage.kind == failed and f"the plug-in {path.name} replaced {name}" in reason
    assert {r.cell.method: r.outcome for r in store.records()} == {"mine": "failed", "random": "ok"}


def test_a_record_names_the_plug_ins_with_their_digests(plugin, tmp_path):  # noqa: F811
    path = plugin("recorded", METHOD)
    _, _, store = run(study(path), tmp_path / "store")
    (record,) = store.records()
    (mine,) = [p for p in record.run["provenance"]["plugins"] if p["name"] == "recorded.py"]
    assert mine == {
        "name": "recorded.py", "version": "", "path": str(path), "sha256": file_digest(path), "changed_state": [],
    }  # fmt: skip
    store.write_run({"name": "digits", "config": {}, "cells": [[vars(record.cell), record.key]]})
    shown = invoke("show", record.key, "--store", store.root)
    assert f"plug-in    recorded.py ({path}, sha256 {file_digest(path)[:12]})" in shown.stdout
    assert json.loads(invoke("show", record.key, "--store", store.root, "--json").stdout)["record"]["run"]
