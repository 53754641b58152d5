"""Judged images decoded once from their files: the pixels of the peers' code, cached, checked for leaks."""

import json
import shutil
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ddbench.data import decode, mapped
from ddbench.data.anyfolder import AnyFolder
from ddbench.data.digits import Digits
from ddbench.data.imagenet_subsets import NETTE_WNIDS, ImageNette
from ddbench.errors import BenchError
from ddbench.evaluators.protocols import minimax_sgd_1, minimax_sgd_2, rded_1k_1, rded_1k_2
from ddbench.evaluators.views import make_view
from ddbench.stages.inputs import load_split
from ddbench.store.opening import open_store
from ddbench.types import ImageView
from tests.data.test_data import make_tree

VIEW = ImageView(24, 20)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Two real photographs of 640 x 427 px, which scikit-learn ships, as a dataset of two classes."""
    root = tmp_path_factory.mktemp("photographs")
    for name in ("china", "flower"):
        for part in ("train", "val"):
            (root / part / name).mkdir(parents=True)
        shutil.copy(str(files("sklearn.datasets.images") / f"{name}.jpg"), root / "val" / name / f"{name}.jpg")
        Image.new("RGB", (20, 20)).save(root / "train" / name / "x.png")
    return AnyFolder(root=str(root), resolution=256)


def by_torchvision(path, view):
    """uint8 (3, side, side) by the transforms of Minimax's data.py and RDED's validation/main.py."""
    from torchvision import transforms

    with Image.open(path) as image:
        steps = transforms.Compose([transforms.Resize(view.shorter), transforms.CenterCrop(view.side)])
        return torch.from_numpy(np.asarray(steps(image.convert("RGB"))).copy()).permute(2, 0, 1)


@pytest.mark.parametrize(
    "view", [ImageView(224, 224), ImageView(256, 224), ImageView(37, 30), ImageView(500, 499)], ids=str
)
def test_a_view_is_what_torchvision_makes_of_the_file_byte_for_byte(photographs, view):
    found = photographs.load_view("test", view)
    for image, label in zip(found.images, found.classes, strict=True):
        path = Path(photographs.root, "val", label, f"{label}.jpg")
        assert torch.equal(image, by_torchvision(path, view))


@pytest.mark.parametrize("size", [(17, 29), (29, 17), (20, 20), (64, 21), (3, 90)])
def test_portraits_landscapes_and_small_images_are_those_of_torchvision(tmp_path, size):
    random = np.random.default_rng(0)
    for part in ("train", "val"):
        (tmp_path / part / "a").mkdir(parents=True)
        pixels = random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / part / "a" / "x.png")
    (found,) = AnyFolder(root=str(tmp_path)).load_view("test", VIEW).images
    assert torch.equal(found, by_torchvision(tmp_path / "val" / "a" / "x.png", VIEW))


def energy(images):
    """Mean squared difference of neighbouring pixels, which falls with every smoothing resize."""
    across, down = images.diff(dim=3).square().mean(), images.diff(dim=2).square().mean()
    return float(across + down)


@pytest.mark.parametrize(("earlier", "now"), [(minimax_sgd_1, minimax_sgd_2), (rded_1k_1, rded_1k_2)])
def test_the_gradient_energy_of_test_images_is_that_of_the_peers(photographs, earlier, now):
    """Version 1 judged images resized twice: to 256 px bicubically, rounded to bytes, and then to 224."""
    from torchvision.transforms.v2 import functional as tv

    view = now.test_view()
    names = [Path(photographs.root, "val", label, f"{label}.jpg") for label in photographs.classes]
    raw = torch.stack([by_torchvision(path, view) for path in names])
    peers = tv.normalize(raw.float() / 255, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    stored, decoded = photographs.load("test").images, photographs.load_view("test", view).images
    ours = make_view(now, stored, "cpu", decoded=True).test(decoded)
    torch.testing.assert_close(ours, peers, rtol=0, atol=1e-6)
    assert energy(ours) / energy(peers) == pytest.approx(1, abs=1e-6)
    assert abs(energy(make_view(earlier, stored, "cpu").test(stored)) / energy(peers) - 1) > 0.05


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store", create=True)


@pytest.fixture
def dataset(tmp_path):
    return ImageNette(root=str(make_tree(tmp_path / "data")), resolution=8, variant="any")


def cached(store):
    return [path for path in (store.root / "cache").glob("[!.]*") if "sha256" not in path.name]


def test_a_view_is_decoded_once_into_a_mapped_file_that_all_resolutions_share(store, dataset, monkeypatch):
    expected = dataset.load_view("test", VIEW)
    first = dataset.load_view("test", VIEW, store.cache)
    assert torch.equal(first.images, expected.images)
    assert torch.equal(first.labels, dataset.load("test").labels)
    assert first.classes == dataset.classes
    monkeypatch.setattr(decode, "pixels", None)
    monkeypatch.setattr(mapped, "write", None)
    for resolution in (8, 16):
        again = ImageNette(root=dataset.root, resolution=resolution, variant="any").load_view("test", VIEW, store.cache)
        assert torch.equal(again.images, expected.images)
    (folder,) = cached(store)
    assert json.loads((folder / mapped.ABOUT).read_text())["shape"] == [30, 3, 20, 20]


def test_each_view_and_split_and_the_datasets_own_images_are_caches_of_their_own(store, tmp_path):
    dataset = ImageNette(root=str(make_tree(tmp_path / "data", 8)), resolution=20, variant="any", holdout=4)
    dataset.load("test", store.cache)
    for view in (VIEW, ImageView(20, 20), ImageView(24, 20, "bicubic")):
        dataset.load_view("test", view, store.cache)
    dataset.load_view("validation", VIEW, store.cache)
    assert len(cached(store)) == 5
    assert torch.equal(dataset.load_view("validation", VIEW).labels, dataset.load("validation").labels)


def test_a_test_image_that_is_a_train_image_is_found_through_a_view_too(store, dataset):
    leaked = NETTE_WNIDS[3]
    source = Path(dataset.root, "train", leaked, f"train-{leaked}-0.png")
    shutil.copy(source, Path(dataset.root, "val", leaked, f"val-{leaked}-0.png"))
    with pytest.raises(BenchError, match=f"is also the train image {source}"):
        dataset.load_view("test", VIEW, store.cache)


def test_a_view_of_another_size_than_asked_for_is_refused(dataset, monkeypatch):
    assert load_split(dataset, "test", view=VIEW).shape == (3, 20, 20)
    other = dataset.load_view("test", ImageView(24, 24))
    monkeypatch.setattr(ImageNette, "load_view", lambda *_: other)
    with pytest.raises(BenchError, match=r"declares the shape \(3, 20, 20\), and its test split has \(3, 24, 24\)"):
        load_split(dataset, "test", view=VIEW)


def test_a_dataset_without_files_has_no_views():
    assert not Digits.decodes_views
    with pytest.raises(NotImplementedError, match="Digits has no files to decode"):
        Digits().load_view("test", VIEW)


def test_a_crop_larger_than_its_image_is_refused():
    with pytest.raises(ValueError, match="a crop of 30 px does not fit into images of 20 px"):
        ImageView(20, 30)
