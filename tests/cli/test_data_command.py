"""``bench data`` prints what a dataset holds; a run tells once what it does not read."""

import json
import shutil

import pytest

from ddbench.data.layout import forget
from tests.support.folders import birds
from tests.support.invoke import invoke


@pytest.fixture
def root(tmp_path):
    return birds(tmp_path / "birds")


def data(root, *options):
    forget()
    return invoke("data", "imagefolder", "--set", f"data.imagefolder.root={root}", *options)


def test_it_prints_what_was_found_and_how_pixels_are_made(root):
    done = data(root)
    assert (done.returncode, done.stderr) == (0, "")
    for text in (
        "imagefolder: 2 classes",
        "train: 6 images, 3 a class",
        "sizes       6 x 6 (6)",
        "modes       RGB (6)",
        "suffixes    .png (6)",
        "jay           3           2",
        "pixels of dataset: the largest centred square (Pillow's ImageOps.fit), resized to 64 x 64 px, bicubic;",
        "pixels of rded-1k@2: test images: the shorter side to 256 px, bilinear, then the central 224 x 224 px",
        "pixels of rded@1: test images: the shorter side to 72 px, bilinear, then the central 64 x 64 px",
    ):
        assert text in done.stdout, done.stdout
    assert "squash" not in done.stdout
    assert (
        "both sides resized to 9 x 9"
        in data(root, "--set", "data.imagefolder.resize=squash", "--set", "data.imagefolder.resolution=9").stdout
    )


def test_broken_files_and_leaks_are_all_printed_and_the_exit_code_tells(root):
    for name in ("train/jay/0.png", "val/owl/1.png"):
        (root / name).write_bytes(b"no image")
    done = data(root)
    assert done.returncode == 1
    assert f"broken: {root}/train/jay/0.png cannot be read as an image" in done.stdout
    assert f"broken: {root}/val/owl/1.png cannot be read as an image" in done.stdout
    shutil.rmtree(root)
    shutil.copy(birds(root) / "val/jay/0.png", root / "train/owl/copy.png")
    done = data(root)
    assert done.returncode == 1
    assert f"duplicate: {root}/val/jay/0.png = {root}/train/owl/copy.png" in done.stdout
    assert data(root, "--set", "data.imagefolder.duplicates=allow").returncode == 0


def test_json_holds_the_same(root):
    (root / "train/notes.txt").write_text("x")
    found = json.loads(data(root, "--json").stdout)
    assert found["classes"] == ["jay", "owl"]
    train, test = found["splits"]
    assert (train["counts"], test["sizes"]) == ({"jay": 3, "owl": 3}, {"6 x 6": 4})
    assert train["unused"] == {"files .txt": {"count": 1, "example": "notes.txt"}}
    assert found["usable"] is True
    assert train["fingerprint"] and train["fingerprint"] != test["fingerprint"]
    assert found["pixels"]["minimax-sgd@2"].startswith("test images: the shorter side to 224 px")


def test_a_view_that_depends_on_the_network_is_told_for_each():
    from types import SimpleNamespace

    from ddbench.api.data import _views

    views = _views(SimpleNamespace(name="imagenette", classes=tuple(map(str, range(10))), shape=(3, 256, 256)))
    assert "the shorter side to 144 px" in views["rded@1 with convnet5-bn, convnet6-bn"]
    (others,) = [how for name, how in views.items() if name.startswith("rded@1 with") and "resnet18-bn" in name]
    assert "the shorter side to 256 px" in others


def test_images_in_rows_have_the_sizes_of_their_files(tmp_path):
    from tests.data.test_huggingface import saved

    root = saved(birds(tmp_path / "birds"), tmp_path / "hf", "parquet")
    found = json.loads(invoke("data", "huggingface", "--set", f"data.huggingface.root={root}", "--json").stdout)
    train, test = found["splits"]
    assert (train["sizes"], test["sizes"]) == ({"6 x 6": 6}, {"6 x 6": 4})
    assert train["formats"] == {"PNG": 6}
    assert train["counts"] == {"jay": 3, "owl": 3}
    assert train["fingerprint"] != test["fingerprint"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["imagefolders"], "unknown dataset 'imagefolders'. Did you mean 'imagefolder'?"),
        (["imagefolder"], "where is imagefolder? Name the folder that holds its train/ and val/"),
        (["imagefolder", "--set", "data.imagefolder.rooot=x"], "Did you mean 'root'?"),
    ],
)
def test_bad_input_is_one_sentence(arguments, message):
    done = invoke("data", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_a_run_says_once_what_it_does_not_read(root):
    (root / "train/jay/notes.txt").write_text("x")
    forget()
    grid = ("--datasets", "imagefolder", "--methods", "random", "--ipc", "1", "--seeds", "0-1", "--dry-run")
    done = invoke("run", *grid, "--set", f"data.imagefolder.root={root}")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("not used in") == 1
    assert f"bench: imagefolder: not used in {root}/train: 1 files .txt (jay/notes.txt)" in done.stderr
    assert "data           1 stage, 1 to run" in done.stdout
