"""The digits, the stratified split, and datasets on disk."""

import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_digits

from ddbench.data import digits, files
from ddbench.data.anyfolder import AnyFolder
from ddbench.data.digits import Digits
from ddbench.data.imagenet_subsets import NETTE_WNIDS as WNIDS
from ddbench.data.imagenet_subsets import ImageNette
from ddbench.data.split import stratified


@given(st.lists(st.integers(0, 4), min_size=1, max_size=120))
def test_a_split_is_a_partition_with_its_share_of_every_class(labels):
    train, validation, test = stratified(labels, 0.2, 0.3, "x")
    assert sorted(train + validation + test) == list(range(len(labels)))
    for label in set(labels):
        size = labels.count(label)
        assert sum(labels[i] == label for i in validation) == int(0.2 * size)
        assert sum(labels[i] == label for i in test) == int(0.3 * size)


def test_the_digits_are_split_into_fixed_disjoint_parts():
    parts = {split: Digits().load(split) for split in ("train", "validation", "test")}
    assert [len(p) for p in parts.values()] == [1087, 355, 355]
    assert tuple(parts["train"].labels.bincount().tolist()) == Digits().train_counts()
    assert parts["train"].shape == Digits().shape
    assert torch.equal(parts["test"].labels[:8], Digits().load("test").labels[:8])


def test_the_digits_are_those_that_scikit_learn_loads_and_are_read_without_importing_it(monkeypatch):
    bunch = load_digits()
    table = digits._table()
    assert np.array_equal(table, np.column_stack([bunch.data, bunch.target]))
    monkeypatch.setattr(digits, "find_spec", lambda name: None)  # where the file lies elsewhere
    assert np.array_equal(digits._table(), table)
    code = "import sys; from ddbench.data.digits import Digits; Digits().load('train'); print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_no_digit_of_the_test_part_is_in_the_train_part():
    train, test = ({bytes(i.numpy().tobytes()) for i in Digits().load(s).images} for s in ("train", "test"))
    assert not train & test


def test_what_a_method_does_to_its_images_does_not_reach_the_next_load():
    Digits().load("train").images.zero_()
    assert Digits().load("train").images.max() == 255


def make_tree(root: Path, per_class: int = 3, wnids: tuple[str, ...] = WNIDS) -> Path:
    for part in ("train", "val"):
        for k, wnid in enumerate(wnids):
            folder = root / part / wnid
            folder.mkdir(parents=True)
            for i in range(per_class):
                Image.new("RGB", (20 + i, 16), (20 * k, 10 * i, len(part))).save(folder / f"{part}-{wnid}-{i}.png")
    return root


def test_folders_are_read_by_class_name_at_the_resolution_asked_for(tmp_path):
    dataset = ImageNette(root=str(make_tree(tmp_path)), resolution=8)
    data = dataset.load("train")
    assert data.shape == (3, 8, 8)
    assert data.labels.bincount().tolist() == [3] * 10 == list(dataset.train_counts())
    assert data.of_class(7)[0, 0].unique().tolist() == [140]


def test_a_holdout_leaves_the_train_part(tmp_path):
    dataset = ImageNette(root=str(make_tree(tmp_path, 8)), resolution=8, holdout=4)
    train, validation = dataset.load("train"), dataset.load("validation")
    assert len(train) + len(validation) == 80
    assert 0 < len(validation) < 40


def test_the_fingerprint_changes_with_the_files(tmp_path):
    make_tree(tmp_path / "a")
    make_tree(tmp_path / "b")
    (tmp_path / "b" / "train" / WNIDS[0] / "x.png").write_bytes(b"more")
    a, b = (ImageNette(root=str(tmp_path / name), variant="any") for name in "ab")
    assert a.fingerprint("train") != b.fingerprint("train")
    assert a.fingerprint("test") == b.fingerprint("test")


def test_any_folder_has_the_classes_of_its_train_part_and_goes_by_its_name(tmp_path):
    root = make_tree(tmp_path / "birds")
    for part in ("train", "val"):
        (root / part / WNIDS[0]).rename(root / part / "wren")
    dataset = AnyFolder(root=str(root), resolution=8)
    assert dataset.classes == (*WNIDS[1:], "wren")
    assert dataset.split_name == "birds"
    assert dataset.load("test").of_class(9)[0, 0].unique().tolist() == [0]


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "CMYK"])
def test_an_image_of_any_mode_is_read_as_rgb(tmp_path, mode):
    for part in ("train", "val"):
        (tmp_path / part / "a").mkdir(parents=True)
        Image.new(mode, (9, 9), 1).save(tmp_path / part / "a" / ("x.jpg" if mode == "CMYK" else "x.png"))
    assert AnyFolder(root=str(tmp_path), resolution=8).load("train").shape == (3, 8, 8)


def test_crop_keeps_the_aspect_ratio_and_squash_the_borders(tmp_path):
    for part in ("train", "val"):
        (tmp_path / part / "a").mkdir(parents=True)
        image = Image.new("RGB", (32, 16))
        image.paste((255, 255, 255), (0, 0, 8, 16))  # the left quarter, which the centre crop leaves out
        image.save(tmp_path / part / "a" / "x.png")
    crop, squash = (AnyFolder(root=str(tmp_path), resolution=8, resize=how).load("train") for how in ("crop", "squash"))
    assert crop.images.max() < 40  # the filter reaches a little over the edge of the crop
    assert squash.images[0, 0, 0, 0] > 200


def test_a_folder_is_listed_once_for_counts_and_fingerprints(tmp_path, monkeypatch):
    listed, real = [], files._walk
    monkeypatch.setattr(files, "_walk", lambda folder, label: listed.append(label) or real(folder, label))
    dataset = ImageNette(root=str(make_tree(tmp_path)), variant="any")
    for split in ("train", "test"):
        assert dataset.fingerprint(split) == ImageNette(root=str(tmp_path), variant="any").fingerprint(split)
    assert sum(dataset.train_counts()) == len(dataset.load("train")) == 30
    assert len(listed) == 2 * len(WNIDS)


def test_real_imagenette_is_read_where_it_is_found(tmp_path):
    archive = Path(__file__).parents[3] / "shared" / "data" / "imagenette-128.tar.gz"
    if not archive.exists():
        pytest.skip("no ImageNette archive beside the repository")
    with tarfile.open(archive) as file:
        members = [m for i, m in enumerate(file) if m.isdir() or i % 40 == 0]
        file.extractall(tmp_path, members, filter="data")
    data = ImageNette(root=str(tmp_path / "imagenette-128"), resolution=32, variant="any").load("test")
    assert data.classes == WNIDS
    assert 20 < data.images.float().std() < 110
