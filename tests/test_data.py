"""The digits, the stratified split, and datasets on disk."""

import tarfile
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from benchmark.data.digits import Digits
from benchmark.data.imagenette import WNIDS, ImageNette
from benchmark.data.split import stratified
from benchmark.errors import BenchError


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


def test_no_digit_of_the_test_part_is_in_the_train_part():
    train, test = ({bytes(i.numpy().tobytes()) for i in Digits().load(s).images} for s in ("train", "test"))
    assert not train & test


def test_what_a_method_does_to_its_images_does_not_reach_the_next_load():
    Digits().load("train").images.zero_()
    assert Digits().load("train").images.max() == 255


def make_tree(root: Path, per_class: int = 3) -> Path:
    for part in ("train", "val"):
        for k, wnid in enumerate(WNIDS):
            folder = root / part / wnid
            folder.mkdir(parents=True)
            for i in range(per_class):
                Image.new("RGB", (20 + i, 16), (20 * k, 10 * i, 0)).save(folder / f"{part}-{wnid}-{i}.png")
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
    a, b = (ImageNette(root=str(tmp_path / name)).fingerprint() for name in "ab")
    assert a != b


def test_bad_folders_are_one_clear_error(tmp_path):
    def message(root):
        with pytest.raises(BenchError) as error:
            ImageNette(root=str(root), resolution=8).load("train")
        return str(error.value)

    assert "--set data.imagenette.root=FOLDER" in message("")
    assert "there is no folder" in message(tmp_path / "nowhere")
    make_tree(tmp_path)
    (tmp_path / "train" / "n99999999").mkdir()
    assert "has n99999999, which is none of its classes" in message(tmp_path)


def test_a_broken_image_and_an_empty_class_are_named(tmp_path):
    make_tree(tmp_path)
    broken = tmp_path / "train" / WNIDS[2] / f"train-{WNIDS[2]}-1.png"
    broken.write_bytes(broken.read_bytes()[:40])
    with pytest.raises(BenchError, match=broken.name):
        ImageNette(root=str(tmp_path), resolution=8).load("train")
    for path in (tmp_path / "val" / WNIDS[4]).iterdir():
        path.unlink()
    with pytest.raises(BenchError, match=f"{WNIDS[4]} holds no images"):
        ImageNette(root=str(tmp_path), resolution=8).load("test")


def test_real_imagenette_is_read_where_it_is_found(tmp_path):
    archive = Path(__file__).parents[2] / "shared" / "data" / "imagenette-128.tar.gz"
    if not archive.exists():
        pytest.skip("no ImageNette archive beside the repository")
    with tarfile.open(archive) as file:
        members = [m for i, m in enumerate(file) if m.isdir() or i % 40 == 0]
        file.extractall(tmp_path, members, filter="data")
    data = ImageNette(root=str(tmp_path / "imagenette-128"), resolution=32).load("test")
    assert data.classes == WNIDS
    assert 20 < data.images.float().std() < 110
