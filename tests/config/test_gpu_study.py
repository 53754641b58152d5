"""The study for one large card, with tiny budgets on a processor: every method, through the same code."""

import pytest

from ddbench.config.schema import load_config
from ddbench.store.opening import open_store
from tests.data.test_data import make_tree
from tests.support.invoke import invoke

TINY = {
    "device": "cpu",
    "resources": "{}",
    "grid.ipc": "[1]",
    "grid.archs": "[convnet4]",
    "grid.seeds": "[0]",
    "grid.protocol": "small-64@1[epochs_by_ipc=[[1000, 1]],side=16,evaluations=1]",
    "data.imagenette.variant": "any",
    "data.imagenette.resolution": "16",
    "methods.diffusion.prior.width": "16",
    "methods.diffusion.prior.layers": "1",
    "methods.diffusion.prior.heads": "1",
    "methods.diffusion.prior.training.steps": "2",
    "methods.diffusion.prior.training.batch": "4",
    "methods.diffusion.finetune.steps": "1",
    "methods.diffusion.finetune.batch": "4",
    "methods.diffusion.sampler.steps": "4",
    "methods.igd.guidance.surrogate.epochs": "1",
    "methods.igd.guidance.surrogate.checkpoints": "[1]",
    "methods.igd.guidance.real_images": "2",
    "methods.igd.guidance.surrogate.network": "convnet3-w32",
    "methods.herding.embedder": "{network: convnet3-w32, epochs: 1}",
    "methods.kcenter.embedder": "{network: convnet3-w32, epochs: 1}",
    "methods.dm": "{iterations: 1, batch_real: 2, embedder: convnet3-w32}",
}


def test_all_methods_of_the_study_for_a_card_run_with_tiny_budgets(tmp_path):
    root = make_tree(tmp_path / "images", 4)
    options = [word for key, value in TINY.items() for word in ("--set", f"{key}={value}")]
    arguments = ["run", "--config", "imagenette-gpu", "--set", f"data.imagenette.root={root}", *options]
    done = invoke(*arguments, "--store", tmp_path / "s", "--executor", "inline")
    assert done.returncode == 0, done.stderr[-3000:]
    records = open_store(tmp_path / "s", create=False).records()
    methods = load_config("imagenette-gpu", {}, []).grid.methods
    assert sorted(record.cell.method for record in records if record.outcome == "ok") == sorted(methods)
    sampled = next(record for record in records if record.cell.method == "rsm_cgs")
    assert sampled.run["hardware"]["distill"]["precision"] == ["bf16"]
    assert sampled.run["hardware"]["evaluate"]["precision"] == ["tf32"]


@pytest.mark.parametrize("name", ["imagenette", "imagewoof", "paper", "imagenet1k"])
def test_paper_size_studies_use_the_fastest_of_equal_quality(name):
    config = load_config(name, {}, [])
    assert config.compute.precision == "bf16" and config.compute.compile == "blocks"
    assert config.methods["diffusion"]["sampler"] == {"precision": "bf16", "compile": "blocks"}
    assert config.methods["diffusion"]["prior"]["decoder"]["precision"] == "tf32"
