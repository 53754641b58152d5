"""Every form of a distilled set comes back bit by bit, through the harness and through the loaders it is made for."""

import datasets
import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from ddbench.data.digits import Digits
from ddbench.data.external.read import Reading, holds_set, read_sets
from ddbench.errors import BenchError
from ddbench.results.export import export_set
from ddbench.results.forms import FORMS
from ddbench.types import LabeledImages

FACTS = {"dataset": "digits", "split": "s", "method": "m", "ipc": 2, "seed": 0, "stages": []}


def made(soft):
    random = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (20, 1, 8, 8), generator=random, dtype=torch.uint8)
    labels = torch.arange(10).repeat_interleave(2)
    # Of some images the largest soft label is that of another class, as learned labels are.
    rows = torch.rand(20, 10, generator=random).softmax(1) if soft else None
    return LabeledImages(images, labels, Digits().classes, rows)


@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
@pytest.mark.parametrize("form", FORMS)
def test_a_set_comes_back_bit_by_bit(form, soft, tmp_path):
    data = made(soft)
    assert export_set(tmp_path / "set", data, FACTS, form)
    assert not export_set(tmp_path / "set", data, FACTS, form)  # the same bytes again
    assert holds_set(tmp_path / "set")
    assert not holds_set(tmp_path)
    (found,) = read_sets(tmp_path / "set", Digits(), Reading(), lambda text: None)
    assert found.images.digest() == data.digest()
    assert (found.images.soft is None) == (not soft)


def card(folder):
    _, header, body = (folder / "README.md").read_text().split("---\n", 2)
    return yaml.safe_load(header), body


def test_parquet_is_what_datasets_and_pandas_load(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    data = made(True)
    export_set(tmp_path / "set", data, FACTS, "parquet")
    found = datasets.load_dataset(str(tmp_path / "set"), split="train")
    assert found.features["label"].names == list(data.classes)
    assert found["label"][:] == data.labels.tolist()
    assert np.array_equal(np.stack([np.asarray(image) for image in found["image"]]), data.images[:, 0].numpy())
    assert torch.equal(torch.tensor(found["soft_label"][:]), data.soft)
    assert len(pd.read_parquet(tmp_path / "set/data")) == 20
    header, body = card(tmp_path / "set")
    assert header["configs"][0]["data_files"] == [{"split": "train", "path": ["data/*.parquet"]}]
    assert "pandas.read_parquet" in body


def test_pt_is_what_torch_loads_without_running_code(tmp_path):
    data = made(True)
    export_set(tmp_path / "set", data, FACTS, "pt")
    found = torch.load(tmp_path / "set/set.pt", weights_only=True)
    assert found["classes"] == list(data.classes)
    assert found["images"].equal(data.images)
    assert found["labels"].equal(data.labels)
    assert found["soft_labels"].equal(data.soft)
    assert "configs" not in card(tmp_path / "set")[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": ["0"] * 10}, "no list of different names of classes"),
        ({"classes": ["0", "1"]}, "class number .* is none of the 2"),
        ({"soft_labels": torch.zeros(3, 10)}, r"soft_labels are \(3, 10\)"),
    ],
)
def test_names_and_soft_labels_that_do_not_fit_are_refused(change, message, tmp_path):
    export_set(tmp_path / "set", made(False), FACTS, "pt")
    file = tmp_path / "set/set.pt"
    torch.save(torch.load(file) | change, file)
    with pytest.raises(BenchError, match=message):
        read_sets(file, Digits(), Reading(), lambda text: None)


def test_a_file_that_names_its_classes_takes_no_other_order(tmp_path):
    export_set(tmp_path / "set", made(False), FACTS, "pt")
    with pytest.raises(BenchError, match="names its classes: leave out --class-order"):
        read_sets(tmp_path / "set", Digits(), Reading(class_order="dataset"), lambda text: None)
