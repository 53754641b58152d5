"""Stored soft labels in the published form: read, checked and kept; what is wrong with them is said in one line."""

import re

import numpy as np
import pytest
import torch
from torch.utils.data import RandomSampler

from ddbench.data.external.stored import read_stored
from ddbench.errors import BenchError
from ddbench.store.stored_labels import load_stored, save_stored
from ddbench.stored_labels import SEED, orders

IMAGES, CLASSES, EPOCHS, BATCH, SIDE = 10, 3, 3, 4, 16


def published(folder, images=IMAGES, classes=CLASSES, epochs=EPOCHS, batch=BATCH, side=SIDE, mixed=True, seed=0):
    """Files as the published script writes them: collated coordinates and flips, numpy's numbers in the box."""
    random, chance = torch.Generator().manual_seed(seed), np.random.RandomState(seed)
    for epoch in range(epochs):
        (folder / f"epoch_{epoch}").mkdir(parents=True)
        for at, n in enumerate([len(part) for part in torch.arange(images).split(batch)]):
            sizes = torch.randint(1, side + 1, (n, 2), generator=random)
            starts = (torch.rand(n, 2, generator=random) * (side - sizes + 1)).long()
            coordinates = torch.cat([starts, sizes], 1) / side
            flips = torch.rand(n, generator=random) < 0.5
            outputs = (5 * torch.randn(n, classes, generator=random)).half()
            edges = np.sort(chance.randint(0, side + 1, (2, 2)), 1).ravel()
            box = [np.clip(edge, 0, side) for edge in edges]
            mix = (torch.randperm(n, generator=random), chance.beta(1.0, 1.0), box) if mixed else (None, None, None)
            torch.save([coordinates, flips, *mix, outputs], folder / f"epoch_{epoch}" / f"batch_{at}.tar")
    return folder


def change(folder, place, value, epoch=1, batch=1):
    """Replace one of the six parts of a batch by ``value`` of it."""
    file = folder / f"epoch_{epoch}" / f"batch_{batch}.tar"
    loaded = torch.load(file, weights_only=False)
    loaded[place] = value(loaded[place])
    torch.save(loaded, file)


def equal(one, other):
    return all(
        (a is None and b is None) or (a.dtype == b.dtype and torch.equal(a, b))
        for a, b in zip(vars(one).values(), vars(other).values(), strict=True)
    )


@pytest.mark.parametrize("mixed", [True, False])
def test_the_published_form_is_read_and_kept_in_the_store_as_it_is(tmp_path, mixed):
    found = read_stored(published(tmp_path / "labels", mixed=mixed), IMAGES, CLASSES)
    assert (found.epochs, found.batch, found.batches, found.mixed) == (EPOCHS, BATCH, 3, mixed)
    assert found.bytes == EPOCHS * IMAGES * CLASSES * 2
    coordinates, flips, partners, _, box, outputs = torch.load(
        tmp_path / "labels" / "epoch_2" / "batch_1.tar", weights_only=False
    )
    batch = found.epoch(2)[1]
    assert torch.equal(batch.crops, coordinates)
    assert torch.equal(batch.flips, flips)
    assert torch.equal(batch.outputs, outputs)
    assert (batch.box is None) == (not mixed)
    if mixed:
        assert batch.box.tolist() == box
        assert torch.equal(batch.partners, partners)
    (tmp_path / "kept").mkdir()
    save_stored(found, tmp_path / "kept")
    again = load_stored(tmp_path / "kept")
    assert (again.digest, again.bytes, again.reach) == (found.digest, found.bytes, found.reach)
    for epoch in range(EPOCHS):
        pairs = list(zip(found.epoch(epoch), again.epoch(epoch), strict=True))
        assert all(equal(one, other) for one, other in pairs)


def test_the_images_of_an_epoch_are_those_of_torchs_sampler():
    sampler = RandomSampler(range(IMAGES), generator=torch.Generator().manual_seed(SEED))
    for _, ours in zip(range(4), orders(IMAGES), strict=False):
        assert ours.tolist() == list(sampler)


def test_other_labels_have_another_digest(tmp_path):
    first = read_stored(published(tmp_path / "a"), IMAGES, CLASSES)
    same = read_stored(published(tmp_path / "b"), IMAGES, CLASSES)
    change(tmp_path / "b", 5, lambda outputs: outputs + 1)
    assert first.digest == same.digest != read_stored(tmp_path / "b", IMAGES, CLASSES).digest


@pytest.mark.parametrize(
    ("images", "classes", "said"),
    [
        (20, CLASSES, "holds labels of 10 images and the set has 20"),
        (IMAGES, 10, "outputs of 3 classes and the set has 10"),
    ],
)
def test_labels_of_another_set_are_refused(tmp_path, images, classes, said):
    with pytest.raises(BenchError, match=said):
        read_stored(published(tmp_path / "labels"), images, classes)


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (0, lambda crops: crops + 1, "does not lie in its image"),
        (0, lambda crops: crops * float("nan"), "does not lie in its image"),
        (0, lambda crops: crops[:, :3], "holds 4 x 3 coordinates, 4 flips and 4 rows"),
        (1, lambda flips: flips[:2], "2 flips and 4 rows"),
        (2, lambda _: torch.zeros(4), "no permutation of its 4 views"),
        (2, lambda _: None, "is not mixed and .*batch_0.tar is"),
        (4, lambda _: None, "mixup"),
        (4, lambda _: [9, 3, 0, 4], "not two rows and two columns"),
        (5, lambda outputs: outputs * float("inf"), "not finite"),
        (5, lambda _: [1], "its outputs are no table of floats"),
    ],
)
def test_a_broken_batch_is_named_with_its_file(tmp_path, place, value, said):
    change(published(tmp_path / "labels"), place, value)
    with pytest.raises(BenchError, match=said) as error:
        read_stored(tmp_path / "labels", IMAGES, CLASSES)
    assert re.search(r"epoch_1.batch_1\.tar", str(error.value))


def test_missing_files_and_other_folders_are_refused(tmp_path):
    folder = published(tmp_path / "labels")
    with pytest.raises(BenchError, match=r"has no epoch_0: .* --labels"):
        read_stored(tmp_path, IMAGES, CLASSES)
    (folder / "epoch_2" / "batch_1.tar").unlink()
    with pytest.raises(BenchError, match=r"epoch_2 has no batch_1\.tar"):
        read_stored(folder, IMAGES, CLASSES)
    (folder / "epoch_2" / "batch_2.tar").unlink()
    with pytest.raises(BenchError, match="epoch_2 holds 1 batches and epoch_0 holds 3"):
        read_stored(folder, IMAGES, CLASSES)


class Code:
    def __reduce__(self):
        return print, ("code ran",)


def test_a_file_that_would_run_code_is_refused(tmp_path, capsys):
    folder = published(tmp_path / "labels")
    torch.save([Code()] * 6, folder / "epoch_0" / "batch_0.tar")
    with pytest.raises(BenchError, match="could run code"):
        read_stored(folder, IMAGES, CLASSES)
    assert "code ran" not in capsys.readouterr().out
