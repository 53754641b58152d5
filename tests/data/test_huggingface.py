"""Hugging Face datasets on disk as datasets: arrow folders and parquet shards, by the names of their columns."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Image, Value
from PIL import Image as Pillow

from ddbench.data.anyfolder import AnyFolder
from ddbench.data.huggingface import HuggingFace
from ddbench.data.invalid import InvalidData
from ddbench.errors import BenchError
from ddbench.store.opening import open_store
from ddbench.types import ImageView
from tests.support.folders import birds
from tests.support.invoke import invoke


@pytest.fixture
def folder(tmp_path):
    """The same images as class folders."""
    return birds(tmp_path / "birds")


def rows(folder, part, names=("image", "label")):
    files = sorted((folder / part).glob("*/*.png"))
    images = [{"bytes": file.read_bytes(), "path": None} for file in files]
    labels = [file.parent.name for file in files]
    features = Features({names[0]: Image(), names[1]: ClassLabel(names=["jay", "owl"])})
    return Dataset.from_dict({names[0]: images, names[1]: labels}, features=features)


def saved(folder, root, form, names=("image", "label")):
    parts = {"train": rows(folder, "train", names), "test": rows(folder, "val", names)}
    if form == "arrow":
        DatasetDict(parts).save_to_disk(str(root), num_shards={"train": 2, "test": 1})
        return root
    for split, part in parts.items():
        for shard in range(2):
            path = root / "data" / f"{split}-0000{shard}-of-00002.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            part.shard(2, shard, contiguous=True).to_parquet(str(path))
    return root


@pytest.mark.parametrize("form", ["arrow", "parquet"])
def test_it_gives_what_the_same_images_in_folders_give(folder, tmp_path, form):
    ours, theirs = HuggingFace(root=str(saved(folder, tmp_path / "hf", form))), AnyFolder(root=str(folder))
    cache = open_store(tmp_path / "store", create=True).cache
    view = ImageView(shorter=8, side=4, filter="bilinear")
    assert ours.classes == theirs.classes
    assert ours.train_counts() == theirs.train_counts()
    assert ours.shape == theirs.shape
    for split in ("train", "test"):
        wanted = theirs.load(split)
        for found in (ours.load(split), ours.load(split, cache), ours.load(split, cache)):
            assert found.images.equal(wanted.images)
            assert found.labels.equal(wanted.labels)
        assert ours.load_view(split, view, cache).images.equal(theirs.load_view(split, view).images)


def test_columns_are_named(folder, tmp_path):
    root = saved(folder, tmp_path / "hf", "parquet", ("picture", "bird"))
    data = HuggingFace(root=str(root))
    assert data.classes == ("jay", "owl")  # the only columns of their types
    assert len(HuggingFace(root=str(root), image="picture", label="bird").load("train")) == 6
    with pytest.raises(BenchError, match=r"unknown column 'brid'.*bird"):
        HuggingFace(root=str(root), label="brid").train_counts()


def encoded(side):
    pixels = np.random.default_rng(side).integers(0, 256, (side, side), dtype=np.uint8)
    file = io.BytesIO()
    Pillow.fromarray(pixels).save(file, "png")
    return file.getvalue()


def plain(root, **splits):
    """Parquet files of other software: split -> labels."""
    root.mkdir(exist_ok=True)
    for n, (split, labels) in enumerate(splits.items()):
        images = [encoded(20 * n + i + 3) for i in range(len(labels))]
        pq.write_table(pa.table({"png": images, "bird": labels}), root / f"{split}.parquet")
    return str(root)


def test_text_labels_without_features_are_classes_by_name(tmp_path):
    root = plain(tmp_path / "a", train=["owl", "jay", "owl"], valid=["jay", "owl"], test=["jay", "jay"])
    data = HuggingFace(root=root, image="png", label="bird", title="birds")
    assert (data.classes, data.train_counts(), data.split_name) == (("jay", "owl"), (1, 2), "birds")
    assert data.load("test").labels.tolist() == [0, 1]
    assert data.remarks() == ("huggingface: the test split is valid; test is not read",)
    assert HuggingFace(root=root, image="png", label="bird", test="test").load("test").labels.tolist() == [0, 0]
    with pytest.raises(BenchError, match=r"columns png, bird: say which holds the labels.*data.huggingface.label=COL"):
        HuggingFace(root=root).load("train")


def test_labels_that_name_nothing_are_refused(tmp_path):
    given = {"image": "png", "label": "bird"}
    with pytest.raises(BenchError, match="neither text nor a ClassLabel with names"):
        HuggingFace(root=plain(tmp_path / "a", train=[0, 1], test=[0, 1]), **given).train_counts()
    root = plain(tmp_path / "b", train=["owl", "jay"], test=["owl", "crow"])
    with pytest.raises(BenchError, match=r"row 1 .* has the label 'crow', which is none of the 2 classes of train"):
        HuggingFace(root=root, **given).fingerprint("test")


def test_a_holdout_leaves_the_train_part(tmp_path):
    root = plain(tmp_path / "a", train=["owl", "jay"] * 20, test=["owl", "jay"])
    data = HuggingFace(root=root, image="png", label="bird", holdout=4, resolution=4)
    train, validation = data.load("train"), data.load("validation")
    assert len(train) + len(validation) == 40
    assert 0 < len(validation) < 20
    assert tuple(train.labels.bincount().tolist()) == data.train_counts()


def test_the_fingerprint_changes_with_the_rows_and_not_with_the_folder(folder, tmp_path):
    one = saved(folder, tmp_path / "one", "parquet")
    data, before = HuggingFace(root=str(one)), HuggingFace(root=str(one)).fingerprint("train")
    moved = one.rename(tmp_path / "two")
    assert HuggingFace(root=str(moved)).fingerprint("train") == before
    part = rows(folder, "train").select(range(2, -1, -1))
    part.to_parquet(str(moved / "data/train-00000-of-00002.parquet"))
    assert HuggingFace(root=str(moved)).fingerprint("train") != before
    with pytest.raises(BenchError, match="there is no folder"):
        data.fingerprint("train")


def test_broken_rows_are_all_named(tmp_path):
    root = tmp_path / "a"
    plain(root, train=["owl", "jay", "owl"], test=["owl", "jay"])
    table = pa.table({"png": [encoded(5), b"no image", b"nor this"], "bird": ["owl", "jay", "owl"]})
    pq.write_table(table, root / "train.parquet")
    with pytest.raises(InvalidData, match=r"2 images of .* cannot be read") as raised:
        HuggingFace(root=str(root), image="png", label="bird").load("train")
    assert all(f"row {row} of train" in str(raised.value) for row in (1, 2))
    (root / "train.parquet").write_bytes(b"PAR1 no PAR1")
    with pytest.raises(BenchError, match=r"train.parquet cannot be read: ArrowInvalid"):
        HuggingFace(root=str(root), image="png", label="bird").train_counts()


def test_a_folder_without_a_layout_and_one_with_two_are_told(folder, tmp_path):
    with pytest.raises(BenchError, match=r"neither dataset_dict.json.*nor parquet files"):
        HuggingFace(root=str(folder)).train_counts()
    (tmp_path / "hf").mkdir()
    for config in ("plain", "cropped"):
        (saved(folder, tmp_path / config, "parquet") / "data").rename(tmp_path / "hf" / config)
    with pytest.raises(BenchError, match=r"holds (test|train) in cropped and plain: name one of these folders"):
        HuggingFace(root=str(tmp_path / "hf")).train_counts()
    assert HuggingFace(root=str(tmp_path / "hf" / "plain")).train_counts() == (3, 3)


def test_files_outside_the_folder_are_not_read(tmp_path):
    (tmp_path / "secret.png").write_bytes(encoded(4))
    (root := tmp_path / "a").mkdir()
    for split in ("train", "test"):
        table = pa.table({"image": [{"bytes": None, "path": "../secret.png"}], "label": ["jay"]})
        pq.write_table(table, root / f"{split}.parquet")
    with pytest.raises(BenchError, match="outside the folder"):
        HuggingFace(root=str(root)).load("train")


def test_shared_images_are_refused_or_told(folder, tmp_path):
    (folder / "val/jay/0.png").write_bytes((folder / "train/jay/1.png").read_bytes())
    root = str(saved(folder, tmp_path / "hf", "arrow"))
    cache = open_store(tmp_path / "store", create=True).cache
    with pytest.raises(InvalidData, match="1 test images are train images too") as raised:
        HuggingFace(root=root).check("test", None, cache)
    assert "row 0 of test is also row 1 of train." in str(raised.value)
    counts = HuggingFace(root=root, duplicates="allow").check("test", None, cache)
    assert counts == {"train": 6, "test": 4, "test images that are train images too": 1}


def test_it_is_surveyed_and_run(folder, tmp_path):
    root = saved(folder, tmp_path / "hf", "parquet")
    options = [f"data.huggingface.root={root}", "data.huggingface.resolution=8"]
    sets = [part for option in options for part in ("--set", option)]
    done = invoke("data", "huggingface", *sets)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "train: 6 images, 3 a class" in done.stdout
    sets += ["--set", "grid.datasets=[huggingface]", "--set", "grid.protocol=cpu-small@1[epochs_by_ipc=[[1000, 1]]]"]
    grid = ["--methods", "random", "--ipc", "1", "--seeds", "0", "--eval-seeds", "0", "--executor", "inline"]
    done = invoke("run", "--config", "digits", "--store", tmp_path / "store", *grid, *sets)
    assert done.returncode == 0, done.stderr
    assert "huggingface" in done.stdout


def test_numbers_without_names_can_be_given_names(tmp_path):
    """As the error says: cast_column with a ClassLabel."""
    features = Features({"image": Image(decode=False), "label": Value("int64")})
    part = Dataset.from_dict({"image": [{"bytes": encoded(4), "path": None}], "label": [0]}, features=features)
    part = part.cast_column("label", ClassLabel(names=["jay"]))
    DatasetDict({"train": part, "test": part}).save_to_disk(str(tmp_path / "hf"))
    assert HuggingFace(root=str(tmp_path / "hf")).classes == ("jay",)
