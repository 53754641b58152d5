"""Files of weights: what a header tells, the usual wrappings, and files that are none."""

import argparse

import pytest
import torch
from safetensors.torch import save_file

from ddbench.errors import BenchError
from ddbench.weights import differences, read_weights, shapes_of
from tests.support.light import loaded_by

WEIGHTS = {"fc.weight": torch.arange(6.0).view(2, 3), "fc.bias": torch.zeros(2)}
SHAPES = {"fc.weight": (2, 3), "fc.bias": (2,)}


def test_a_header_of_safetensors_is_read_without_torch(tmp_path):
    save_file(WEIGHTS, tmp_path / "w.safetensors", metadata={"format": "pt"})
    assert shapes_of(tmp_path / "w.safetensors", light=True) == SHAPES
    code = "from pathlib import Path; from ddbench.weights import shapes_of; "
    code += f"shapes_of(Path('{tmp_path}/w.safetensors'), True)"
    assert loaded_by(code) == []


def test_shapes_of_other_files_need_torch(tmp_path):
    torch.save({"state_dict": WEIGHTS}, tmp_path / "w.pth")
    assert shapes_of(tmp_path / "w.pth", light=True) is None
    assert shapes_of(tmp_path / "w.pth", light=False) == SHAPES


def prefixed(prefix):
    return {f"{prefix}{name}": tensor for name, tensor in WEIGHTS.items()}


@pytest.mark.parametrize(
    "content",
    [
        WEIGHTS,
        {"model": WEIGHTS, "epoch": 3},
        {"state_dict": WEIGHTS, "optimizer": {"state": {}, "param_groups": []}, "best_acc1": torch.tensor(3.0)},
        {"model_state_dict": WEIGHTS, "loss": 0.5},
        prefixed("module."),
        prefixed("_orig_mod."),
        prefixed("module._orig_mod."),
        prefixed("_orig_mod.module."),
        {"state_dict": prefixed("module."), "arch": "resnet18"},
        {"model": {"state_dict": WEIGHTS}},
        {"model": WEIGHTS, "args": argparse.Namespace(lr=0.1)},
        {"model_ema": WEIGHTS},
    ],
)
def test_the_usual_wrappings_are_taken_off(tmp_path, content):
    torch.save(content, tmp_path / "w.pth")
    found = read_weights(tmp_path / "w.pth")
    assert found.keys() == WEIGHTS.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in WEIGHTS.items())


def test_files_of_torch_before_1_6_load_too(tmp_path):
    torch.save(WEIGHTS, tmp_path / "w.pth", _use_new_zipfile_serialization=False)
    assert torch.equal(read_weights(tmp_path / "w.pth")["fc.weight"], WEIGHTS["fc.weight"])
    assert shapes_of(tmp_path / "w.pth", light=False) == SHAPES


def test_of_weights_and_their_average_one_must_be_chosen(tmp_path):
    torch.save({"model": WEIGHTS, "ema": {n: t + 1 for n, t in WEIGHTS.items()}}, tmp_path / "w.pth")
    with pytest.raises(BenchError, match="several networks: the weights under 'model' and 'ema'"):
        read_weights(tmp_path / "w.pth")
    assert read_weights(tmp_path / "w.pth", averaged=True)["fc.bias"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"fc.weight": print}, "only running code can make"),
        (
            {"optimizer": {"lr": 0.1}, "epoch": 3},
            "holds no weights by name under 'state_dict', 'model', but optimizer, epoch",
        ),
        ([torch.zeros(2)], "holds a list and no dictionary of weights"),
        ({}, "holds no weights by name"),
    ],
)
def test_files_without_weights_say_what_they_hold(tmp_path, content, says):
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(BenchError, match=says):
        read_weights(tmp_path / "w.pth")


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 9\n", "pointer of Git LFS"),
        (b"", "is empty"),
        (b"<!DOCTYPE html><html>not found</html>", "is no (safetensors file|file of weights)"),
        (None, "cannot be read: No such file"),
    ],
)
def test_what_is_no_file_of_weights_is_said_so(tmp_path, name, content, says):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BenchError, match=says):
        read_weights(tmp_path / name)


@pytest.mark.parametrize("cut", [4, 40, -4])
def test_a_truncated_file_is_damaged(tmp_path, cut):
    save_file(WEIGHTS, tmp_path / "w.safetensors")
    path = tmp_path / "cut.safetensors"
    path.write_bytes((tmp_path / "w.safetensors").read_bytes()[:cut])
    with pytest.raises(BenchError, match=r"(copy|Copy) or download it again"):
        shapes_of(path, light=True)


def test_differences_name_weights():
    assert differences(SHAPES, SHAPES) == ""
    assert differences({}, SHAPES) == "they lack fc.weight, fc.bias"
    assert differences({**SHAPES, "a": (1,)}, SHAPES) == "they have the unknown a"
    assert differences({**SHAPES, "fc.bias": (3,)}, SHAPES) == (
        "they have fc.bias of shape 3 in place of 2 (1 of another shape)"
    )
    assert differences({f"net.{n}": s for n, s in SHAPES.items()}, SHAPES) == (
        "their names begin with 'net.' (net.fc.weight), which the network's do not"
    )
    many = {str(i): (1,) for i in range(5)}
    assert differences({}, many) == "they lack 0, 1, 2 and 2 more"
