"""CIFAR through torchvision, on files made here in the published layout."""

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import datasets

from ddbench.data.cifar import Cifar10, Cifar100
from ddbench.errors import BenchError
from ddbench.store.opening import open_store


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Five train files and a test file of 20 images, two a class, in place of the published ones."""
    folder = tmp_path / Cifar10.folder
    folder.mkdir()
    random = np.random.default_rng(0)

    def file(name, content):
        (folder / name).write_bytes(pickle.dumps(content))
        return [name, hashlib.md5((folder / name).read_bytes()).hexdigest()]

    def batch(name):
        pixels = random.integers(0, 256, (20, 3072), dtype=np.uint8)
        return file(name, {"data": pixels, "labels": [i % 10 for i in range(20)]})

    monkeypatch.setattr(datasets.CIFAR10, "train_list", [batch(f"data_batch_{i}") for i in range(1, 6)])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [batch("test_batch")])
    name, md5 = file("batches.meta", {"label_names": list(Cifar10.names)})
    monkeypatch.setattr(datasets.CIFAR10, "meta", {"filename": name, "key": "label_names", "md5": md5})
    return str(tmp_path)


def test_images_come_channels_first_in_the_published_order(root):
    data = Cifar10(root=root).load("test")
    published = pickle.loads(Path(root, Cifar10.folder, "test_batch").read_bytes())
    assert np.array_equal(data.images.numpy(), published["data"].reshape(-1, 3, 32, 32))
    assert data.labels.tolist() == published["labels"]
    assert data.classes[3] == "cat"


def test_a_holdout_takes_its_share_of_every_class(root):
    dataset = Cifar10(root=root, holdout=5)
    train, validation = dataset.load("train"), dataset.load("validation")
    assert validation.labels.bincount().tolist() == [2] * 10
    assert len(train) + len(validation) == len(Cifar10(root=root).load("train")) == 100
    assert not {i.numpy().tobytes() for i in train.images} & {i.numpy().tobytes() for i in validation.images}
    assert dataset.train_counts() == (4000,) * 10
    assert Cifar100().train_counts() == (500,) * 100


def test_a_cache_gives_the_same_images_without_the_files_being_read_again(root, tmp_path, monkeypatch):
    cache = open_store(tmp_path / "store", create=True).cache
    plain = Cifar10(root=root).load("train")
    for _ in range(2):
        data = Cifar10(root=root).load("train", cache)
        assert torch.equal(data.images, plain.images)
        assert torch.equal(data.labels, plain.labels)
        monkeypatch.setattr(datasets, "CIFAR10", None)


def test_nothing_is_downloaded_unless_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.CIFAR10, "download", lambda self: pytest.fail("it downloads"))
    for act in (lambda dataset: dataset.fingerprint("train"), lambda dataset: dataset.load("train")):
        with pytest.raises(BenchError, match=r"no folder .*/cifar-10-batches-py.* --set data.cifar10.download=true"):
            act(Cifar10(root=str(tmp_path)))
        with pytest.raises(BenchError, match=r"where is cifar10.* --set data.cifar10.root=FOLDER"):
            act(Cifar10())


def test_a_download_that_fails_and_damaged_files_are_one_error(root, monkeypatch):
    def download(self):
        raise OSError("no route to host")

    monkeypatch.setattr(datasets.CIFAR10, "download", download)
    with pytest.raises(BenchError, match="no route to host"):
        Cifar10(root=root, download=True).load("train")
    Path(root, Cifar10.folder, "data_batch_3").write_bytes(b"x")
    with pytest.raises(BenchError, match="cifar-10-batches-py are missing, damaged"):
        Cifar10(root=root).load("train")
