"""Parts of ImageNet by the field's class lists, and Tiny-ImageNet in its own layout."""

import numpy as np
import pytest
from PIL import Image

from ddbench.data.imagenet import imagenet_id, wnids
from ddbench.data.imagenet_parts import GladA, GladE, ImageFruit, ImageIDC, ImageMeow, ImageNet100, ImageSquawk
from ddbench.data.tiny_imagenet import TinyImageNet
from ddbench.errors import BenchError
from tests.support.folders import write_images
from tests.support.invoke import invoke

PARTS = {
    ImageFruit: [953, 954, 949, 950, 951, 957, 952, 945, 943, 948],
    ImageMeow: [281, 282, 283, 284, 285, 291, 292, 290, 289, 287],
    ImageSquawk: [84, 130, 88, 144, 145, 22, 96, 9, 100, 89],
    GladA: [255, 376, 984, 364, 500, 986, 333, 576, 148, 135],
    GladE: [816, 96, 100, 145, 739, 713, 783, 76, 688, 326],
}
"""dataset -> ImageNet ids, as the authors' code lists them"""


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_classes_are_those_of_the_authors_ids_sorted(part):
    assert [imagenet_id(wnid) for wnid in part().classes] == sorted(PARTS[part])


def test_imageidc_is_the_first_ten_of_the_hundred():
    hundred = ImageNet100().classes
    assert len(set(hundred)) == 100
    assert set(hundred) <= set(wnids())
    # bonnet, green mamba, langur, Doberman, gyromitra, Saluki, vacuum, window screen, cocktail shaker, garden spider
    assert [imagenet_id(c) for c in ImageIDC().classes] == [64, 74, 176, 236, 374, 452, 503, 882, 904, 993]
    assert set(ImageIDC().classes) < set(hundred)


def of(classes, train=2, test=1):
    return [f"{part}/{c}/{i}.png" for part, n in (("train", train), ("val", test)) for c in classes for i in range(n)]


def test_a_part_is_read_from_its_own_folders_and_from_all_of_imagenet(tmp_path):
    own = ImageIDC(root=str(write_images(tmp_path / "own", of(ImageIDC().classes))), variant="any", resolution=4)
    whole = ImageIDC(root=str(write_images(tmp_path / "whole", of(wnids(), 1))), variant="any", resolution=4)
    assert own.train_counts() == (2,) * 10
    assert whole.train_counts() == (1,) * 10
    assert whole.load("test").images.equal(own.load("test").images)  # the seed of a picture is its name
    assert whole.fingerprint("test") == own.fingerprint("test")
    assert whole.fingerprint("train") != own.fingerprint("train")


def test_other_folders_and_another_number_of_test_images_are_refused(tmp_path):
    root = str(write_images(tmp_path, of([*ImageIDC().classes, wnids()[0]])))
    with pytest.raises(BenchError, match=f"is not imageidc: it has {wnids()[0]}, which is none of its classes"):
        ImageIDC(root=root, variant="any").train_counts()
    root = str(write_images(tmp_path / "small", of(ImageIDC().classes)))
    with pytest.raises(BenchError, match=r"holds 10 test images, the ilsvrc split has 500.*variant=any"):
        ImageIDC(root=root).fingerprint("test")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """tiny-imagenet-200 as its archive unpacks, with 2 train images and 1 validation image a class, of noise."""
    root = tmp_path_factory.mktemp("data") / "tiny-imagenet-200"
    random = np.random.default_rng(0)

    def image(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)

    lines = []
    for k, wnid in enumerate(TinyImageNet().classes):
        for i in range(2):
            image(root / "train" / wnid / "images" / f"{wnid}_{i}.JPEG")
        (root / "train" / wnid / f"{wnid}_boxes.txt").write_text(f"{wnid}_0.JPEG\t0\t0\t9\t9\n")
        image(root / "val/images" / f"val_{k}.JPEG")
        lines.append(f"val_{k}.JPEG\t{wnid}\t0\t0\t9\t9\n")
    (root / "val/val_annotations.txt").write_text("".join(reversed(lines)))
    image(root / "test/images/test_0.JPEG")
    (root / "wnids.txt").write_text("\n".join(reversed(TinyImageNet().classes)))
    (root / "words.txt").write_text("n01443537\tgoldfish, Carassius auratus\n")
    return root


def test_tiny_imagenet_is_found_and_counted_in_its_own_layout(tiny):
    data = TinyImageNet(root=str(tiny), variant="any", resolution=8)
    assert data.train_counts() == (2,) * 200
    assert data.split_name == "any"
    test = data.load("test")
    assert test.labels.tolist() == list(range(200))
    assert test.shape == (3, 8, 8)
    assert data.fingerprint("train") != data.fingerprint("test")
    assert not any("lists 200 classes" in remark for remark in data.remarks())
    with pytest.raises(BenchError, match=r"holds 200 test images, the official split has 10000.*variant=any"):
        TinyImageNet(root=str(tiny)).fingerprint("test")


def test_tiny_imagenet_is_run(tiny, tmp_path):
    options = [f"data.tinyimagenet.{name}" for name in (f"root={tiny}", "variant=any", "resolution=8")]
    options += ["grid.datasets=[tinyimagenet]", "grid.protocol=cpu-small@1[epochs_by_ipc=[[1000, 1]]]"]
    sets = [part for option in options for part in ("--set", option)]
    grid = ["--methods", "random", "--ipc", "1", "--seeds", "0", "--eval-seeds", "0", "--executor", "inline"]
    done = invoke("run", "--config", "digits", "--store", tmp_path / "store", *grid, *sets)
    assert done.returncode == 0, done.stderr
    assert "tinyimagenet" in done.stdout
