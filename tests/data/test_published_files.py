"""Fashion-MNIST and SVHN in their own formats, on small files made here with their published layout."""

import gzip
import hashlib

import numpy as np
import pytest
from scipy.io import loadmat, savemat
from torchvision import datasets

from ddbench.data.fashion_mnist import FashionMnist
from ddbench.data.svhn import Svhn
from ddbench.errors import BenchError
from ddbench.store.opening import open_store

RANDOM = np.random.default_rng(0)


def idx(array):
    """An array of bytes as a gzipped idx file, by the format's own page: magic number, sizes, values."""
    header = bytes((0, 0, 8, array.ndim)) + b"".join(int(n).to_bytes(4, "big") for n in array.shape)
    return gzip.compress(header + array.tobytes(), mtime=0)


def published(monkeypatch, kind, folder):
    """The files in ``folder`` stand for those that were published, also for torchvision."""
    for part in ("train_files", "test_files"):
        names = getattr(kind, part)
        sums = {n: hashlib.md5((folder / n).read_bytes()).hexdigest() for n in names}
        monkeypatch.setattr(kind, part, sums)


@pytest.fixture
def fashion(tmp_path, monkeypatch):
    folder = tmp_path / "FashionMNIST/raw"
    folder.mkdir(parents=True)
    for part, n in (("train", 60), ("t10k", 20)):
        images = RANDOM.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        labels = np.arange(n, dtype=np.uint8) % 10
        for sort, array in (("images-idx3", images), ("labels-idx1", labels)):
            (folder / f"{part}-{sort}-ubyte.gz").write_bytes(idx(array))
            (folder / f"{part}-{sort}-ubyte").write_bytes(gzip.decompress(idx(array)))
    published(monkeypatch, FashionMnist, folder)
    return tmp_path


@pytest.fixture
def svhn(tmp_path, monkeypatch):
    for split, n in (("train", 30), ("test", 20)):
        labels = (np.arange(n, dtype=np.uint8) % 10 + 1)[:, None]
        pixels = RANDOM.integers(0, 256, (32, 32, 3, n), dtype=np.uint8)
        savemat(tmp_path / f"{split}_32x32.mat", {"X": pixels, "y": labels}, do_compression=True)
    published(monkeypatch, Svhn, tmp_path)
    return tmp_path


def test_fashion_mnist_is_what_torchvision_reads(fashion):
    for split in ("train", "test"):
        ours, theirs = FashionMnist(root=str(fashion)).load(split), datasets.FashionMNIST(fashion, split == "train")
        assert ours.images[:, 0].equal(theirs.data)
        assert ours.labels.equal(theirs.targets)
        assert list(ours.classes) == theirs.classes


def test_svhn_is_what_torchvision_reads(svhn, monkeypatch):
    for split, files in (("train", Svhn.train_files), ("test", Svhn.test_files)):
        ((name, md5),) = files.items()
        monkeypatch.setitem(datasets.SVHN.split_list, split, ["", name, md5])
        ours, theirs = Svhn(root=str(svhn)).load(split), datasets.SVHN(svhn, split)
        assert np.array_equal(ours.images.numpy(), theirs.data)
        assert ours.labels.tolist() == theirs.labels.tolist()


def test_checksums_are_torchvisions():
    assert FashionMnist.train_files | FashionMnist.test_files == dict(datasets.FashionMNIST.resources)
    for split, files in (("train", Svhn.train_files), ("test", Svhn.test_files)):
        assert files == {datasets.SVHN.split_list[split][1]: datasets.SVHN.split_list[split][2]}


def test_counts_are_those_published_and_a_holdout_leaves_every_class():
    assert sum(FashionMnist().train_counts()) == 60_000
    assert sum(Svhn().train_counts()) == 73_257
    assert Svhn(holdout=10).train_counts()[0] == 4948 - 494


def test_a_holdout_and_the_cache_give_the_same_images(fashion, tmp_path):
    cache = open_store(tmp_path / "store", create=True).cache
    held = FashionMnist(root=str(fashion), holdout=3)
    parts = {split: held.load(split, cache) for split in ("train", "validation")}
    assert parts["validation"].labels.bincount().tolist() == [2] * 10
    assert sum(map(len, parts.values())) == 60
    assert held.load("train", cache).images.equal(held.load("train").images)
    with pytest.raises(BenchError, match=r"no validation part.*data.fashionmnist.holdout=10"):
        FashionMnist(root=str(fashion)).load("validation")


def test_a_missing_and_a_damaged_file_are_one_error_before_anything_is_read(svhn):
    with pytest.raises(BenchError, match=r"where is svhn\? .*train_32x32.mat.* --set data.svhn.root=FOLDER"):
        Svhn().fingerprint("train")
    with pytest.raises(BenchError, match=r"there is no file test_32x32.mat.*torchvision.datasets.SVHN"):
        Svhn(root=str(svhn / "elsewhere")).fingerprint("test")
    path = svhn / "train_32x32.mat"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BenchError, match=r"train_32x32\.mat is not the published file"):
        Svhn(root=str(svhn)).load("train")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no gzip", "no intact gzip file"),
        (gzip.compress(b"\0\0\x0d\1" + bytes(8), mtime=0), "no idx file of bytes"),
        (idx(np.zeros((2, 28, 28), np.uint8))[:-20], "no intact gzip file"),
        (
            gzip.compress(bytes((0, 0, 8, 1)) + (9).to_bytes(4, "big") + bytes(3), mtime=0),
            "has 3 values and declares 9",
        ),
    ],
    ids=["no gzip", "other type", "cut off", "too few values"],
)
def test_what_is_no_idx_file_is_told(fashion, monkeypatch, content, message):
    folder = fashion / "FashionMNIST/raw"
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(content)
    published(monkeypatch, FashionMnist, folder)
    with pytest.raises(BenchError, match=message):
        FashionMnist(root=str(fashion)).load("test")


def test_a_mat_file_of_other_content_is_told(svhn, monkeypatch):
    path = svhn / "test_32x32.mat"
    savemat(path, {"X": loadmat(path)["X"]})
    published(monkeypatch, Svhn, svhn)
    with pytest.raises(BenchError, match="it holds no X and y"):
        Svhn(root=str(svhn)).load("test")
    path.write_bytes(b"MATLAB 7.3 MAT-file" + bytes(200))
    published(monkeypatch, Svhn, svhn)
    with pytest.raises(BenchError, match="cannot be read: Unknown mat file type"):
        Svhn(root=str(svhn)).load("test")
