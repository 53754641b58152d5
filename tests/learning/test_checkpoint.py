"""Teachers' checkpoints as people save them, and what is known of a teacher before it is built."""

import argparse
import hashlib
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from ddbench.learning.checkpoint import open_teacher, teacher_problems
from ddbench.learning.zoo import torchvision_classifiers
from tests.support.light import loaded_by

ARCH = "timm:test_resnet"


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return timm.create_model("test_resnet", pretrained=False, num_classes=3).eval()


def saved(content, path):
    (save_file if path.suffix == ".safetensors" else torch.save)(content, path)
    return str(path), hashlib.sha256(path.read_bytes()).hexdigest()


WRAPPINGS = {
    "plain": lambda w: w,
    "model": lambda w: {"model": w, "epoch": 3, "args": argparse.Namespace(lr=0.1)},
    "state_dict": lambda w: {"state_dict": w, "arch": "test_resnet"},
    "ddp": lambda w: {f"module.{name}": tensor for name, tensor in w.items()},
    "ddp in state_dict": lambda w: {"state_dict": {f"module.{name}": tensor for name, tensor in w.items()}},
}


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS)
def test_a_wrapped_teacher_is_the_same_network(network, tmp_path, wrap):
    file, sha = saved(wrap(network.state_dict()), tmp_path / "teacher.pth")
    assert teacher_problems(file, sha, 3, ARCH, light=False) == []
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(open_teacher(file, sha, 3, "cpu", ARCH)(x), network(x))


def problem(file, sha, classes=3, arch=ARCH, light=False):
    (found,) = teacher_problems(file, sha, classes, arch, light)
    return found


def test_what_a_teacher_lacks_is_known_before_it_is_built(network, tmp_path):
    weights = network.state_dict()
    file, sha = saved(weights, tmp_path / "teacher.pth")
    assert "knows 3 classes, the dataset has 10" in problem(file, sha, classes=10)
    assert "teacher_arch 'timm:test_vit': they lack" in problem(file, sha, arch="timm:test_vit")
    assert "has SHA-256" in problem(file, "0" * 64, light=True)
    assert "is not there" in problem(str(tmp_path / "none.pth"), sha, light=True)
    assert "is a folder: name the file" in problem(str(tmp_path), sha, light=True)
    assert "nearest: torchvision:resnet18" in problem(file, sha, arch="torchvision:resnet181", light=True)
    assert "timm has no model 'test_resnt'" in problem(file, sha, arch="timm:test_resnt", light=True)
    del weights["fc.bias"]
    assert "they lack fc.bias" in problem(*saved(weights, tmp_path / "less.safetensors"))


def test_a_pointer_of_git_lfs_is_no_other_teacher(tmp_path):
    path = tmp_path / "teacher.pth"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 9\n")
    assert "is a pointer of Git LFS" in problem(str(path), "ab" * 32, light=True)


def test_the_names_of_torchvisions_classifiers_are_read_from_its_source():
    from torchvision import models

    assert torchvision_classifiers() == set(models.list_models(module=models))


def test_a_teacher_is_looked_for_without_torch_where_torch_hub_has_its_checkpoints(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    assert str(folder) in problem("resnet18-f37072fd.pth", "f37072fd", light=True)
    code = "from ddbench.learning.checkpoint import teacher_problems\n"
    code += f"assert '{folder}' in teacher_problems('x.pth', 'f37072fd', 3, 'torchvision:vgg11', True)[0]"
    assert loaded_by(code) == []
