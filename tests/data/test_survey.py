"""What a dataset holds is counted file by file, against what a test put there."""

import shutil

import pytest
from PIL import Image

from ddbench.data.anyfolder import AnyFolder
from ddbench.data.digits import Digits
from ddbench.data.imagenet_subsets import ImageNette
from ddbench.data.layout import forget
from ddbench.data.survey import survey
from tests.data.test_data import make_tree
from tests.support.folders import birds, write_images


@pytest.fixture
def folder(tmp_path):
    """Two train images cut short, one turned, one grey of another size, copies within train and across splits."""
    root = write_images(birds(tmp_path), ["train/jay/a.tif", "train/jay/deep/b.JPG"])
    for name in ("train/owl/0.png", "train/jay/0.png"):
        (root / name).write_bytes((root / name).read_bytes()[:50])
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (6, 6), "red").save(root / "train/owl/turned.jpeg", exif=exif)
    Image.new("L", (9, 4)).save(root / "val/owl/grey.png")
    shutil.copy(root / "train/jay/1.png", root / "train/owl/copy.png")
    shutil.copy(root / "val/jay/1.png", root / "train/jay/leaked.png")
    (root / "val/notes.txt").write_text("x")
    forget()
    return AnyFolder(root=str(root), resolution=6)


def test_counts_sizes_modes_and_suffixes_are_those_of_the_files(folder):
    train, test = survey(folder).splits
    assert (train.split, train.counts, test.split, test.counts) == (
        "train",
        {"jay": 6, "owl": 5},
        "test",
        {"jay": 2, "owl": 3},
    )
    assert train.sizes == {"6 x 6": 9}
    assert test.sizes == {"6 x 6": 4, "9 x 4": 1}
    assert test.modes == {"RGB": 4, "L": 1}
    assert train.suffixes == {".png": 8, ".tif": 1, ".JPG": 1, ".jpeg": 1}
    assert train.formats == {"PNG": 6, "TIFF": 1, "JPEG": 2}
    assert (train.turned, test.turned) == (1, 0)
    assert {sort: unused.count for sort, unused in test.unused.items()} == {"files .txt": 1}


def test_all_broken_files_are_named(folder):
    train, test = survey(folder).splits
    assert [
        f"{folder.root}/train/{name}/0.png cannot be read" in text
        for name, text in zip(("jay", "owl"), train.broken, strict=True)
    ] == [True, True]
    assert test.broken == []


def test_copies_within_a_split_and_across_splits_are_all_listed(folder):
    found = survey(folder)
    root = folder.root
    assert found.splits[0].repeated == [[f"{root}/train/jay/1.png", f"{root}/train/owl/copy.png"]]
    assert found.shared == [(f"{root}/val/jay/1.png", f"{root}/train/jay/leaked.png")]


def test_a_holdout_is_a_split_of_its_own(tmp_path):
    dataset = ImageNette(root=str(make_tree(tmp_path, 8)), resolution=8, holdout=4, variant="any")
    splits = {split.split: split for split in survey(dataset).splits}
    assert list(splits) == ["train", "validation", "test"]
    assert sum(sum(splits[name].counts.values()) for name in ("train", "validation")) == 80


def test_a_split_that_is_not_as_declared_is_told_beside_what_it_holds(tmp_path):
    found = survey(ImageNette(root=str(make_tree(tmp_path)), resolution=8))
    assert [split.split for split in found.splits] == ["train", "test"]
    (wrong,) = found.wrong
    assert "holds 30 test images, the fastai split has 3925" in wrong
    shutil.rmtree(tmp_path / "val" / "n01440764")
    forget()
    found = survey(ImageNette(root=str(tmp_path), resolution=8, variant="any"))
    assert [split.split for split in found.splits] == ["train"]
    assert "lacks n01440764" in found.wrong[0]


def test_a_dataset_without_files_is_counted_from_its_images():
    found = survey(Digits())
    assert [(split.split, sum(split.counts.values())) for split in found.splits] == [
        ("train", 1087),
        ("validation", 355),
        ("test", 355),
    ]
    assert found.splits[0].counts["0"] == Digits().train_counts()[0]
    assert found.splits[0].sizes == {"8 x 8": 1087}
    assert (found.shared, found.wrong) == ([], [])
