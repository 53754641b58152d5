"""What stands in the way of a run is said before anything runs, by whatever part of it knows."""

import hashlib
import json
import shutil

import pytest
import torch

from ddbench.data.imagenet_subsets import NETTE_WNIDS as WNIDS
from tests.data.test_data import make_tree
from tests.support.invoke import invoke
from tests.support.light import loaded_by_command
from tests.support.pipelines import tiny_pipeline
from tests.support.registered import forgotten

PLUGIN = """
import os
from dataclasses import dataclass
import torch
from ddbench import LabeledImages, register
from ddbench.types import Distiller, Preparation, Protocol, Evaluation

@dataclass(frozen=True)
class Trained(Preparation):
    stage = "prior"
    good: bool = False

    def problems(self, data):
        if self.good and "UNTRAINED" not in os.environ:
            return ()
        return [f"nothing can be trained on {data.name}, {data.shape}, {len(data.classes)}"]

    def run(self, real, before, ctx):
        return 1

    def save(self, state, folder):
        (folder / "state").write_text("1")

    def load(self, folder, before, ctx):
        return 1

@dataclass(frozen=True)
class Picks(Distiller):
    good: bool = False
    raises: bool = False

    def preparations(self, seed):
        return (Trained(self.good),)

    def problems(self, data, preparations):
        if self.raises:
            raise KeyError("slip")
        return [] if self.good else [f"{len(preparations)} preparation is not enough"]

    def distill(self, real, state, ipc, ctx):
        index = torch.cat([(real.labels == k).nonzero()[:ipc, 0] for k in range(len(real.classes))])
        return LabeledImages(real.images[index], real.labels[index], real.classes)

picks = register("method", "picks")(Picks())

@dataclass(frozen=True)
class Judge(Protocol):
    good: bool = False

    def problems(self, data):
        return [] if self.good else ["the judge is away" + (" (dry)" if data.light else "")]

    def evaluate(self, distilled, test, network, ctx):
        right = tuple([True] * len(test))
        return Evaluation(((1, 1.0),), right)

judge = register("protocol", "judge@1")(Judge())
"""


@pytest.fixture
def plugin(tmp_path):
    path = tmp_path / "plugin_of_problems.py"
    path.write_text(PLUGIN)
    with forgotten(["plugin_of_problems"]):
        yield path


def bench_run(plugin, store, *more, good="", dry=False):
    method, protocol = ("picks[good=true]", "judge@1[good=true]") if good else ("picks", "judge@1")
    grid = ["--ipc", "1", "--seeds", "0-1", "--eval-seeds", "0", "--archs", "convnet3-w32", "--protocol", protocol]
    end = ["--dry-run"] if dry else ["--executor", "inline"]
    return invoke("run", "--plugin", plugin, "--methods", method, *grid, "--store", store, *more, *end)


def test_every_part_is_asked_once_and_all_problems_come_in_one_message(plugin, tmp_path):
    done = bench_run(plugin, tmp_path / "store")
    assert done.returncode == 2
    assert "3 things are wrong, and nothing was run:" in done.stderr
    for said in ("nothing can be trained on digits, (1, 8, 8), 10", "1 preparation is not", "- the judge is away\n"):
        assert done.stderr.count(said) == 1
    assert not (tmp_path / "store").exists()


def test_a_dry_run_prints_the_plan_then_the_problems(plugin, tmp_path):
    done = bench_run(plugin, tmp_path / "store", dry=True)
    assert done.returncode == 2
    assert "2 cells" in done.stdout
    assert "the judge is away (dry)" in done.stderr


def test_only_what_still_has_to_run_is_asked(plugin, tmp_path, monkeypatch):
    assert bench_run(plugin, tmp_path / "store", good="yes").returncode == 0
    monkeypatch.setenv("UNTRAINED", "1")
    assert bench_run(plugin, tmp_path / "store", good="yes").returncode == 0
    again = ["--store", tmp_path / "store", "--methods", "picks[good=true]", "--ipc", "1", "--seeds", "0", "--dry-run"]
    judged = invoke("run", "--plugin", plugin, *again, "--archs", "convnet3-w32", "--protocol", "judge@1")
    assert (judged.returncode, judged.stderr) == (2, "bench: the judge is away (dry)\n")


def test_a_slip_in_a_plug_ins_own_function_is_named(plugin, tmp_path):
    done = invoke("run", "--plugin", plugin, "--methods", "picks[raises=true,good=true]", "--ipc", "1", "--dry-run")
    assert done.returncode == 2
    assert "Picks.problems" in done.stderr
    assert "KeyError: 'slip'" in done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A pipeline for 16 px, images, a teacher, and a study of them."""
    folder = tmp_path_factory.mktemp("early")
    tiny_pipeline().save_pretrained(folder / "good")
    tree = make_tree(folder / "nette")
    for part in ("train", "val"):
        for wnid, name in zip(WNIDS[:3], ("bird", "cat", "dog"), strict=True):
            shutil.copytree(tree / part / wnid, folder / "dogs" / part / name)
    import timm

    model = timm.create_model("test_resnet", pretrained=False, num_classes=10)
    torch.save({"state_dict": {f"module.{n}": t for n, t in model.state_dict().items()}}, folder / "teacher.pth")
    (folder / "study.yaml").write_text(
        f"""
name: early
grid:
  datasets: [imagenette]
  methods: [rsm_cgs]
  ipc: [1]
  archs: [convnet3-w32]
  protocol: "{soft(folder)}"
  seeds: [0]
  eval_seeds: [0]
data:
  imagenette: {{root: {tree}, resolution: 16, variant: any}}
  imagefolder: {{root: {folder / "dogs"}, resolution: 16}}
methods:
  diffusion:
    prior: {{type: PretrainedDiT, source: {folder / "good"}}}
    sampler: {{steps: 2, variance: learned}}
"""
    )
    return folder


def soft(folder, arch="timm:test_resnet", sha=None):
    file = folder / "teacher.pth"
    sha = sha or hashlib.sha256(file.read_bytes()).hexdigest()
    return f"rded-1k@2[teacher={file},teacher_sha256={sha},teacher_arch={arch}]"


def dry(folder, *more):
    return invoke("run", "--config", folder / "study.yaml", "--store", folder / "store", "--dry-run", *more)


def test_a_dry_run_with_prior_and_teacher_is_light_and_clean(folder):
    arguments = ["run", "--config", str(folder / "study.yaml"), "--store", str(folder / "store"), "--dry-run"]
    assert loaded_by_command(*arguments) == []
    assert dry(folder).returncode == 0


def test_a_dry_run_refuses_classes_sizes_and_weights_that_do_not_fit(folder, tmp_path):
    bad = shutil.copytree(folder / "good", tmp_path / "bad")
    (bad / "vae" / "diffusion_pytorch_model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n")
    for more, says in {
        ("--datasets", "imagefolder"): "imagefolder has bird, cat, dog: name its classes by wnid",
        ("--set", "data.imagenette.resolution=32"): "--set data.imagenette.resolution=16",
        ("--set", f"methods.diffusion.prior.source={bad}"): "is a pointer of Git LFS",
        ("--set", "methods.diffusion.prior=ScratchPrior"): "variance=learned needs a prior that predicts it",
    }.items():
        done = dry(folder, *more)
        assert done.returncode == 2
        assert says in done.stderr


def test_a_dry_run_refuses_another_teacher(folder):
    done = dry(folder, "--protocol", soft(folder, sha="ab" * 32))
    assert done.returncode == 2
    assert "has SHA-256" in done.stderr
    done = dry(folder, "--protocol", soft(folder, arch="torchvision:resnet118"))
    assert "nearest: torchvision:resnet18" in done.stderr


def test_a_teacher_of_another_architecture_is_refused_before_a_run(folder):
    run = ["run", "--config", folder / "study.yaml", "--store", folder / "store", "--executor", "inline"]
    done = invoke(*run, "--protocol", soft(folder, arch="torchvision:resnet18"), "--json")
    assert done.returncode == 2
    assert "does not hold the weights of the protocol's teacher_arch 'torchvision:resnet18'" in done.stderr
    assert not (folder / "store").exists()


def test_the_extra_package_of_lora_is_missed_before_a_run(folder, monkeypatch):
    from ddbench.methods.diffusion.training import finetune

    monkeypatch.setattr(finetune, "find_spec", lambda name: None)
    done = dry(folder, "--set", "methods.diffusion.finetune.parameters=lora")
    assert done.returncode == 2
    assert "needs the package peft" in done.stderr
    assert json.loads(dry(folder, "--json").stdout)["stages"]["fit"]["to_run"] == 1
