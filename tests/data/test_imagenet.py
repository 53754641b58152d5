"""ImageNet's classes by wnid and id, and the splits of its subsets."""

import subprocess
import sys

import pytest

from ddbench.data.imagenet import ImageNet1K, imagenet_id, wnids
from ddbench.data.imagenet_subsets import ImageNette, ImageWoof
from ddbench.errors import BenchError
from tests.data.test_data import make_tree


@pytest.mark.parametrize(
    ("dataset", "ids"),
    [
        (ImageNette(), [0, 217, 482, 491, 497, 566, 569, 571, 574, 701]),
        (ImageWoof(), [155, 159, 162, 167, 182, 193, 207, 229, 258, 273]),
        (ImageNet1K(), list(range(1000))),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_classes_have_their_imagenet_ids(dataset, ids):
    assert [imagenet_id(wnid) for wnid in dataset.classes] == ids
    assert [wnids()[i] for i in ids] == list(dataset.classes)


def test_a_wnid_that_is_none_is_an_error():
    with pytest.raises(BenchError, match="'n99999999' is none of the 1,000 classes"):
        imagenet_id("n99999999")


def test_the_list_of_classes_imports_nothing_heavy():
    code = (
        "import sys; from ddbench.data.imagenet import wnids; assert len(wnids()) == 1000\n"
        "import ddbench.data.anyfolder, ddbench.data.cifar, ddbench.data.imagenet_subsets\n"
        "print([m for m in ('timm', 'torch', 'torchvision', 'numpy', 'PIL', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_variant_whose_size_the_folder_has_is_the_one_to_type(tmp_path):
    root = str(make_tree(tmp_path, per_class=50))
    with pytest.raises(BenchError, match=r"holds 500 test images, the fastai split has 3925.*variant=ilsvrc"):
        ImageNette(root=root, resolution=4).load("test")
    assert len(ImageNette(root=root, resolution=4, variant="ilsvrc").load("test")) == 500
    assert ImageNette(variant="ilsvrc").split_name != ImageNette(variant="fastai").split_name
