"""Everything that can be wrong with a folder of images, and the one sentence that says so."""

import re
import shutil

import numpy as np
import pytest
from PIL import Image

from ddbench.data.anyfolder import AnyFolder
from ddbench.data.imagenet import ImageNet1K
from ddbench.data.imagenet_subsets import ImageNette
from ddbench.errors import BenchError
from ddbench.store.opening import open_store
from tests.data.test_data import make_tree

FIRST, LAST = "n01440764", "n03888257"
IMAGE = f"train/{FIRST}/train-{FIRST}-1.png"


def remove(what):
    return lambda root: shutil.rmtree(root / what)


def empty(what):
    def spoil(root):
        for path in (root / what).iterdir():
            path.unlink()

    return spoil


def cut(path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:6000])


def bitmap_of_claimed_size(path):
    Image.new("RGB", (4, 4)).save(path, "BMP")
    content = bytearray(path.read_bytes())
    content[18:26] = (60_000).to_bytes(4, "little") * 2
    path.write_bytes(content)


def deep(path):
    Image.fromarray(np.full((9, 9), 0.5, dtype=np.float32)).save(path, "TIFF")


def copy_into_test(root):
    shutil.copy(root / IMAGE, root / f"val/{LAST}/another-name.png")


UNREADABLE = "{root}/" + IMAGE + " cannot be read as an image: "

# name: (what is wrong, the dataset, the split that is loaded, what the message says)
BAD = {
    "no root": (
        lambda root: None,
        ImageNette(),
        "train",
        r"where is imagenette\? .* --set data.imagenette.root=FOLDER",
    ),
    "missing root": (
        remove("."),
        ImageNette(root="{root}"),
        "train",
        "imagenette: there is no folder {root}/train. Name the one .* --set data.imagenette.root=FOLDER",
    ),
    "missing relative root": (
        lambda root: None,
        ImageNette(root="no/such/place"),
        "train",
        r"there is no folder /.*/no/such/place/train \(root 'no/such/place' is relative to the current folder\)",
    ),
    "no test part": (remove("val"), AnyFolder(root="{root}"), "test", "imagefolder: there is no folder {root}/val"),
    "class missing": (
        remove(f"train/{FIRST}"),
        ImageNette(root="{root}"),
        "train",
        rf"{{root}}/train is not imagenette: it lacks {FIRST} \(1 missing, 0 extra class folders\)",
    ),
    "class of something else": (
        lambda root: (root / "train" / "n99999999").mkdir(),
        ImageNette(root="{root}"),
        "train",
        "it has n99999999, which is none of its classes",
    ),
    "another dataset": (
        lambda root: None,
        ImageNet1K(root="{root}"),
        "train",
        r"is not imagenet1k: it lacks .* \(990 missing",
    ),
    "test classes differ": (
        lambda root: (root / "val" / LAST).rename(root / "val" / "wren"),
        AnyFolder(root="{root}"),
        "test",
        f"{{root}}/val is not imagefolder: it lacks {LAST}",
    ),
    "no classes": (
        lambda root: (shutil.rmtree(root / "train"), (root / "train").mkdir()),
        AnyFolder(root="{root}"),
        "train",
        "{root}/train holds no class folders",
    ),
    "empty class": (
        empty(f"val/{LAST}"),
        ImageNette(root="{root}"),
        "test",
        f"the class folder {{root}}/val/{LAST} holds no images",
    ),
    "truncated image": (lambda root: cut(root / IMAGE), ImageNette(root="{root}"), "train", UNREADABLE + ".*truncated"),
    "text in place of an image": (
        lambda root: (root / IMAGE).write_text("<html>not found</html>"),
        ImageNette(root="{root}"),
        "train",
        UNREADABLE + "it has no format that Pillow knows. Restore or remove the file.",
    ),
    "huge image": (
        lambda root: bitmap_of_claimed_size(root / IMAGE),
        ImageNette(root="{root}"),
        "train",
        UNREADABLE + "Image size .* exceeds limit",
    ),
    "image of floats": (
        lambda root: deep(root / IMAGE),
        ImageNette(root="{root}"),
        "train",
        UNREADABLE + r"its pixels are floats or 32-bit numbers \(mode F\)",
    ),
    "dangling link": (
        lambda root: ((root / IMAGE).unlink(), (root / IMAGE).symlink_to(root / "gone")),
        ImageNette(root="{root}"),
        "train",
        "{root}/" + IMAGE + " cannot be read: No such file or directory",
    ),
    "test image in train": (
        copy_into_test,
        ImageNette(root="{root}", variant="any"),
        "test",
        f"imagenette: 1 test images are train images too: the test image {{root}}/val/{LAST}/another-name.png is also "
        f"the train image {{root}}/{IMAGE}. Remove .* --set data.imagenette.duplicates=drop",
    ),
    "test image in validation": (
        copy_into_test,
        ImageNette(root="{root}", variant="any", holdout=2),
        "test",
        f"is also the (train|validation) image {{root}}/{IMAGE}",
    ),
    "another split than declared": (
        lambda root: None,
        ImageNette(root="{root}"),
        "test",
        "{root}/val holds 30 test images, the fastai split has 3925. .* --set data.imagenette.variant=any",
    ),
    "no validation part": (
        lambda root: None,
        ImageNette(root="{root}"),
        "validation",
        "imagenette has no validation part. .* --set data.imagenette.holdout=10",
    ),
    "everything held out": (
        lambda root: None,
        ImageNette(root="{root}", holdout=1),
        "train",
        "holdout=1 leaves no train image",
    ),
}


@pytest.mark.parametrize(("spoil", "dataset", "split", "message"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_one_error_that_names_it(tmp_path, monkeypatch, spoil, dataset, split, message):
    monkeypatch.chdir(tmp_path)
    root = make_tree(tmp_path / "data")
    store = open_store(tmp_path / "store", create=True)
    spoil(root)
    dataset = type(dataset)(**{**vars(dataset), "root": dataset.root.format(root=root), "resolution": 8})
    with pytest.raises(BenchError) as error:
        dataset.load(split, store.cache)
    assert re.search(message.format(root=re.escape(str(root))), str(error.value)), str(error.value)
    assert "\n" not in str(error.value)
