"""Classifiers that draw while they are trained, last batches of one image, and losses that are not finite."""

import dataclasses

import pytest
import torch

from ddbench.evaluators import classifier
from ddbench.evaluators.classifier import train_and_judge
from ddbench.evaluators.losses import cross_entropy
from ddbench.evaluators.networks import ResNet18, convnet3_w32
from ddbench.evaluators.protocols import cpu_small_1, rded_1k_2
from ddbench.types import LabeledImages, StageContext
from tests.support.networks import RandomNetwork, weights

QUICK = dataclasses.replace(cpu_small_1, epochs_by_ipc=((1000, 2),), evaluations=2, batch=8)


def images(n, classes=2, side=8):
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (n, 1, side, side), generator=random, dtype=torch.uint8)
    return LabeledImages(pixels, (torch.arange(n) % classes).sort().values, tuple("abcdefgh"[:classes]))


DATA = images(18)


def trained(seed=0, protocol=QUICK, drawn_before=0, data=DATA):
    """(what the evaluation found, the weights in the end)."""
    network = RandomNetwork()
    torch.manual_seed(drawn_before)
    found = protocol.evaluate(data, DATA, network, StageContext(seed=seed))
    return found, weights(network.modules[0])


def test_dropout_follows_the_seed_and_not_what_was_drawn_before():
    one, other = trained(drawn_before=1), trained(drawn_before=2)
    assert one[0] == other[0]
    assert torch.equal(one[1], other[1])
    assert not torch.equal(one[1], trained(seed=1)[1])


def test_how_often_a_classifier_is_judged_changes_nothing_in_it():
    longer = dataclasses.replace(QUICK, epochs_by_ipc=((1000, 4),))
    often, once = (trained(protocol=dataclasses.replace(longer, evaluations=n)) for n in (4, 1))
    assert len(often[0].curve) == 4 and len(once[0].curve) == 1
    assert torch.equal(often[1], once[1])


@pytest.mark.parametrize(("n", "sizes"), [(17, [8, 9]), (18, [8, 8, 2]), (9, [9])])
def test_any_number_of_images_trains_under_batch_norm(n, sizes):
    network = RandomNetwork()
    QUICK.evaluate(images(n), DATA, network, StageContext(seed=0))
    assert network.sizes == sizes * 2


def test_the_schedule_counts_the_batches_that_there_are(monkeypatch):
    """Of 17 images in batches of 8 there are two batches: over three the cosine would not fall to zero."""
    asked = []
    rate = classifier.learning_rate
    monkeypatch.setattr(classifier, "learning_rate", lambda *now: (asked.append(now[1:]), rate(*now))[1])
    QUICK.evaluate(images(17), DATA, convnet3_w32, StageContext(seed=0))
    assert asked == [(step, 2, 2) for step in range(4)]


def test_a_loss_that_is_not_finite_is_no_accuracy():
    steps = []

    def breaking(logits, batch, target):
        steps.append(1)
        return cross_entropy(logits, batch, target) * (float("nan") if len(steps) == 4 else 1)

    protocol = dataclasses.replace(QUICK, epochs_by_ipc=((1000, 3),), evaluations=1)
    with pytest.raises(FloatingPointError, match="the loss of the classifier became nan at epoch 2"):
        train_and_judge(protocol, DATA, DATA, convnet3_w32, StageContext(seed=0), breaking)


def test_outputs_that_are_not_finite_are_no_accuracy():
    """The last step's loss is finite, and leaves weights that are not."""
    protocol = dataclasses.replace(QUICK, epochs_by_ipc=((1000, 1),), evaluations=1, batch=18, optimiser="sgd", lr=1e38)
    with pytest.raises(FloatingPointError, match=r"outputs on 18 of 18 judged images are not finite after epoch 1"):
        protocol.evaluate(DATA, DATA, ResNet18(), StageContext(seed=0))


def test_rded_sees_the_joined_batch_twice():
    protocol = dataclasses.replace(QUICK, second_forward=rded_1k_2.second_forward)
    network = RandomNetwork()
    protocol.evaluate(images(17), DATA, network, StageContext(seed=0))
    assert network.sizes == [8, 8, 9, 9] * 2
