"""Decoded images in a cache: the same pixels, decoded once, harmed by nobody, and checked for leaks."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from rich.file_proxy import FileProxy

from ddbench.data import decode, imagefolder, leakage, mapped
from ddbench.data.imagenet_subsets import NETTE_WNIDS as WNIDS
from ddbench.data.imagenet_subsets import ImageNette
from ddbench.data.progress import told
from ddbench.errors import BenchError
from ddbench.store.opening import open_store
from tests.data.test_data import make_tree


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store", create=True)


@pytest.fixture
def dataset(tmp_path):
    return ImageNette(root=str(make_tree(tmp_path / "data")), resolution=8, variant="any")


def cached(store):
    return sorted(path.name for path in (store.root / "cache").glob("[!.]*"))


@pytest.mark.parametrize("chunk", [1, 7 * 3 * 8 * 8, 2**20], ids=["one image", "seven images", "all"])
def test_cached_images_are_those_decoded_in_memory(store, dataset, monkeypatch, chunk):
    expected = dataset.load("train")
    monkeypatch.setattr(decode, "CHUNK_BYTES", chunk)
    for data in (dataset.load("train", store.cache), dataset.load("train")):
        assert torch.equal(data.images, expected.images)
        assert torch.equal(data.labels, expected.labels)
    (about,) = (store.root / "cache").glob("*/images.json")
    assert json.loads(about.read_text())["shape"] == [30, 3, 8, 8]


def test_images_are_decoded_once(store, dataset, monkeypatch):
    first = dataset.load("train", store.cache).images.clone()
    monkeypatch.setattr(decode, "pixels", None)
    assert torch.equal(dataset.load("train", store.cache).images, first)


def test_what_a_method_does_to_cached_images_reaches_nobody(store, dataset):
    data, other = dataset.load("train", store.cache), dataset.load("train", store.cache)
    before = other.images.clone()
    data.images.fill_(77)
    assert torch.equal(other.images, before)
    assert torch.equal(dataset.load("train", store.cache).images, before)


def test_each_split_option_and_change_of_files_is_a_cache_of_its_own(store, dataset, tmp_path):
    for changed in (dataset, ImageNette(root=dataset.root, resolution=8, resize="squash", variant="any")):
        for split in ("train", "test"):
            changed.load(split, store.cache)
    make_tree(tmp_path / "more", per_class=4)
    ImageNette(root=str(tmp_path / "more"), resolution=8, variant="any").load("train", store.cache)
    assert len([name for name in cached(store) if "sha256" not in name]) == 5


def test_a_failed_decode_leaves_nothing_behind(store, dataset):
    broken = Path(dataset.root, "train", WNIDS[9], f"train-{WNIDS[9]}-2.png")
    whole = broken.read_bytes()
    broken.write_bytes(whole[:50])
    with pytest.raises(BenchError, match=broken.name):
        dataset.load("train", store.cache)
    assert cached(store) == []
    assert not [path for path in (store.root / "cache").iterdir() if path.name.endswith(".tmp")]
    broken.write_bytes(whole)
    assert len(dataset.load("train", store.cache)) == 30


def test_a_damaged_cache_says_what_to_remove(store, dataset):
    dataset.load("train", store.cache)
    (images,) = (store.root / "cache").glob("*/images.uint8")
    images.write_bytes(images.read_bytes()[:-1])
    with pytest.raises(BenchError, match=f"{images.parent} cannot be used: .* Remove the folder"):
        dataset.load("train", store.cache)


def test_a_full_disk_is_told_before_decoding(store, dataset, monkeypatch):
    monkeypatch.setattr(mapped.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 100}))
    monkeypatch.setattr(decode, "pixels", None)
    with pytest.raises(BenchError, match="set a smaller resolution"):
        dataset.load("train", store.cache)


def test_images_that_do_not_fit_into_memory_can_be_read_and_written_to(tmp_path):
    if Path("/proc/sys/vm/overcommit_memory").read_text().strip() == "2":
        pytest.skip("this system sets memory aside for every mapping")
    lines = Path("/proc/meminfo").read_text().splitlines()
    memory = 1024 * sum(int(line.split()[1]) for line in lines if line.startswith(("MemTotal", "SwapTotal")))
    shape = (1000, 1, 1024, 2 * memory // (1000 * 1024))
    with (tmp_path / mapped.IMAGES).open("wb") as file:
        file.truncate(int(np.prod(shape)))  # a hole: it takes no space on the disk
    np.save(tmp_path / mapped.LABELS, np.zeros(1000, dtype=np.int64))
    (tmp_path / mapped.ABOUT).write_text(json.dumps({"shape": shape}))
    images = mapped.load(tmp_path, ("a",)).images
    images[999, 0, -1, -1] = 5
    assert images[999, 0, -1, -2:].tolist() == [0, 5]


def test_the_leak_check_reads_digests_and_no_train_image(store, dataset, monkeypatch):
    dataset.load("train", store.cache)
    monkeypatch.setattr(imagefolder, "read", None)
    dataset.load("test", store.cache)
    monkeypatch.setattr(decode, "read", None)
    assert len(dataset.load("test", store.cache)) == 30


def test_digests_are_shared_by_all_resolutions(store, dataset):
    for resolution in (8, 16):
        for split in ("train", "test"):
            ImageNette(root=dataset.root, resolution=resolution, variant="any").load(split, store.cache)
    assert len([name for name in cached(store) if "sha256" in name]) == 2


def test_shared_files_are_found_wherever_they_stand(tmp_path):
    digests = [bytes([i]) * 32 for i in (9, 0, 3, 255, 7)]
    for name, which in (("a", (0, 1, 3)), ("b", (4, 3, 2, 1))):
        (tmp_path / name).mkdir()
        leakage.write(tmp_path / name, b"".join(digests[i] for i in which))
    assert leakage.shared(tmp_path / "a", tmp_path / "b") == [(1, 3), (2, 1)]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("stderr", "shown"), [(io.StringIO, False), (Terminal, True)])
def test_a_bar_is_shown_on_a_terminal_only(monkeypatch, stderr, shown):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", stderr())
    with told("decoding birds", 3) as advance:
        advance(3)
    assert ("decoding birds" in sys.stderr.getvalue()) == shown


def test_a_line_stands_in_for_the_bar_where_a_live_display_has_the_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    console = Console(file=Terminal(), force_terminal=True)
    monkeypatch.setattr(sys, "stderr", FileProxy(console, console.file))
    with told("decoding birds", 3) as advance:
        advance(3)
    assert console.file.getvalue() == "decoding birds: 3 images, once\n"
