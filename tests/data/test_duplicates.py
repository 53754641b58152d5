"""Test images that are train images too: every pair is told, and the recorded choice decides."""

import dataclasses
import shutil

import pytest

from ddbench.data.anyfolder import AnyFolder
from ddbench.data.invalid import InvalidData
from ddbench.data.layout import forget
from ddbench.errors import BenchError
from ddbench.store.opening import open_store
from tests.support.folders import birds

PAIRS = (
    ("val/jay/0.png", "train/owl/copy.png"),
    ("val/jay/0.png", "train/jay/1.png"),
    ("val/owl/1.png", "train/owl/2.png"),
)
"""test image -> train image; the first is in train twice"""


@pytest.fixture
def dataset(tmp_path):
    root = birds(tmp_path / "data")
    for test, train in PAIRS:
        shutil.copy(root / test, root / train)
    forget()
    return AnyFolder(root=str(root), resolution=6)


@pytest.fixture
def cache(tmp_path):
    return open_store(tmp_path / "store", create=True).cache


def choose(dataset, choice):
    return dataclasses.replace(dataset, duplicates=choice)


def counts(images):
    return images.labels.bincount().tolist()


def test_they_are_refused_by_default_with_every_pair(dataset, cache):
    with pytest.raises(InvalidData, match="imagefolder: 2 test images are train images too: ") as error:
        dataset.load("test", cache)
    lines = {f"the test image {dataset.root}/{a} is also the train image {dataset.root}/{b}." for a, b in PAIRS}
    assert set(error.value.lines) == lines
    assert all(line in str(error.value) for line in lines)
    assert "--set data.imagefolder.duplicates=drop" in str(error.value)


def test_allowed_ones_stay_and_are_counted(dataset, cache):
    allowed = choose(dataset, "allow")
    assert counts(allowed.load("test", cache)) == [2, 2]
    assert counts(allowed.load("train", cache)) == [3, 4]
    found = allowed.check("test", None, cache)
    assert found == {"train": 7, "test": 4, "test images that are train images too": 2}


@pytest.mark.parametrize("cached", [True, False])
def test_dropped_ones_leave_train_and_stay_in_test(dataset, cache, cached):
    dropped, cache = choose(dataset, "drop"), cache if cached else None
    train = dropped.load("train", cache)
    assert counts(train) == [2, 2]
    assert counts(dropped.load("test", cache)) == [2, 2]
    whole = choose(dataset, "allow").load("train")
    left = [i for i, name in enumerate(n for of in dataset.files("train") for n in of) if not is_copy(name)]
    assert (train.images == whole.images[left]).all()


def is_copy(name):
    return f"train/{name}" in {train for _, train in PAIRS}


def test_dropping_is_counted_and_the_declared_counts_are_the_most(dataset, cache):
    dropped = choose(dataset, "drop")
    counted = {"train": 4, "test": 4, "train images left out, which are test images": 3}
    assert dropped.check("test", None, cache) == counted
    assert dropped.train_counts() == (3, 4)
    assert dataset.counts_exact
    assert not dropped.counts_exact


def test_train_depends_on_the_test_files_where_copies_are_dropped_alone(dataset, tmp_path):
    before = {choice: choose(dataset, choice).fingerprint("train") for choice in ("refuse", "allow", "drop")}
    assert before["refuse"] == before["allow"] != before["drop"]
    birds(tmp_path / "data", test=3)
    after = {choice: choose(dataset, choice).fingerprint("train") for choice in before}
    assert after["refuse"] == before["refuse"]
    assert after["drop"] != before["drop"]


def test_a_class_that_would_be_left_without_images_is_named(tmp_path, cache):
    root = birds(tmp_path / "data", train=1)
    shutil.copy(root / "train/owl/0.png", root / "val/jay/x.png")
    forget()
    with pytest.raises(BenchError, match="all train images of the class owl are test images too"):
        AnyFolder(root=str(root), resolution=6, duplicates="drop").load("train", cache)


def test_decoded_images_are_shared_by_refuse_and_allow(dataset, cache, monkeypatch):
    from ddbench.data import decode

    first = dataset.load("train", cache).images.clone()
    monkeypatch.setattr(decode, "pixels", None)
    assert (choose(dataset, "allow").load("train", cache).images == first).all()
