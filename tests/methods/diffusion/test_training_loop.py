"""What the training loop gives the loss: which batches, how mixed, of which images."""

import dataclasses

import pytest
import torch

from ddbench.evaluators import views
from ddbench.evaluators.classifier import train_and_judge
from ddbench.evaluators.losses import cross_entropy
from ddbench.evaluators.networks import ConvNet
from ddbench.evaluators.protocols import HardLabels, cpu_small_1, minimax_sgd_1
from ddbench.evaluators.views import make_view
from ddbench.types import LabeledImages, StageContext

NET = ConvNet(depth=2, width=4)
SMALL_SGD = dataclasses.replace(minimax_sgd_1, side=16)


def images(counts, channels=3, side=16):
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    pixels = torch.randint(0, 256, (len(labels), channels, side, side), generator=torch.Generator().manual_seed(0))
    return LabeledImages(pixels.to(torch.uint8), labels, tuple("abcdefgh"[: len(counts)]))


def targets(protocol, train, seed=0):
    """(the targets that the loss saw, the evaluation)."""
    seen = []

    def loss(logits, batch, target):
        assert len(logits) == len(batch) == len(target.labels)
        seen.append(target)
        return cross_entropy(logits, batch, target)

    return seen, train_and_judge(protocol, train, train, NET, StageContext(seed=seed), loss)


def test_the_last_batch_of_an_epoch_takes_what_is_left_and_every_image_comes_once():
    protocol = dataclasses.replace(minimax_sgd_1, side=16, epochs_by_ipc=((100, 2),), evaluations=2, cutmix=False)
    seen, _ = targets(protocol, images([40, 40, 40]))
    assert [len(t.labels) for t in seen] == [64, 56] * 2
    for epoch in (seen[:2], seen[2:]):
        assert torch.cat([t.labels for t in epoch]).bincount().tolist() == [40, 40, 40]


def test_every_batch_is_cut_and_mixed_by_its_own_box():
    protocol = dataclasses.replace(minimax_sgd_1, side=16, epochs_by_ipc=((100, 30),), evaluations=1, batch=8)
    seen, _ = targets(protocol, images([8, 8]))
    assert len(seen) == 60
    assert all(t.other is not None and len(t.other) == len(t.labels) for t in seen)
    assert len({t.kept for t in seen}) > 30
    plain, _ = targets(dataclasses.replace(protocol, cutmix=False), images([8, 8]))
    assert all(t.other is None and t.kept == 1 for t in plain)


def test_the_batch_is_larger_above_a_hundred_classes():
    protocol = dataclasses.replace(minimax_sgd_1, side=8, epochs_by_ipc=((100, 1),), evaluations=1)
    labels = torch.arange(101).repeat_interleave(2)
    data = LabeledImages(
        torch.zeros(202, 3, 8, 8, dtype=torch.uint8), labels, tuple(f"class{k:03}" for k in range(101))
    )
    seen, _ = targets(protocol.for_classes(101), data)
    assert [len(t.labels) for t in seen] == [128, 74]


def test_the_largest_class_of_an_unbalanced_set_counts_as_ipc():
    protocol = HardLabels(epochs_by_ipc=((5, 9), (30, 4), (100, 2)), batch=16, evaluations=1)
    seen, evaluation = targets(protocol, images([3, 30, 7], channels=1))
    assert [epoch for epoch, _ in evaluation.curve] == [4]
    assert torch.cat([t.labels for t in seen]).bincount().tolist() == [12, 120, 28]


@pytest.mark.parametrize(("base", "side", "channels"), [(cpu_small_1, 8, 1), (cpu_small_1, 16, 3), (SMALL_SGD, 24, 3)])
def test_a_set_too_large_to_prepare_is_prepared_batch_by_batch_with_the_same_result(monkeypatch, base, side, channels):
    protocol = dataclasses.replace(base, epochs_by_ipc=((100, 3),), evaluations=3, batch=8)
    train = images([5, 21, 9], channels, side)
    at_once = targets(protocol, train)[1]
    monkeypatch.setattr(views, "PREPARED_VALUES", 100)
    view = make_view(protocol, train.images, "cpu")
    assert view.images.floats is None
    assert view.images.images.dtype == torch.uint8
    assert targets(protocol, train)[1] == at_once


def test_ordered_images_are_not_copied(monkeypatch):
    """A train split that is mapped from a file would be read into memory whole."""
    from ddbench.evaluators import classifier

    seen = []
    monkeypatch.setattr(
        classifier, "make_view", lambda recipe, x, *rest, **kw: (seen.append(x), make_view(recipe, x, *rest, **kw))[1]
    )
    train = images([4, 4], channels=1)
    targets(HardLabels(epochs_by_ipc=((1, 1),)), train)
    assert seen[0].data_ptr() == train.images.data_ptr()


def test_own_normalisation_is_by_mean_and_deviation_of_each_channel():
    data = images([6, 6], channels=3)
    data.images[:, 1] //= 3
    x = make_view(dataclasses.replace(cpu_small_1, shift=0.0), data.images, "cpu").test(data.images)
    torch.testing.assert_close(x.mean((0, 2, 3)), torch.zeros(3), rtol=0, atol=1e-5)
    torch.testing.assert_close(x.std((0, 2, 3)), torch.ones(3), rtol=1e-5, atol=0)
