"""Soft labels that a distilled set carries: what is learnt from them, and who ignores them."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F

from ddbench.evaluators.classifier import by_name
from ddbench.evaluators.losses import Target, cross_entropy, soft_cross_entropy
from ddbench.evaluators.networks import ConvNet
from ddbench.evaluators.protocols import (
    GivenSoftLabels,
    HardLabels,
    cpu_small_1,
    cpu_small_soft_1,
    igd_adamw_1,
    igd_adamw_soft_1,
    rded_1k_1,
    with_soft_labels,
)
from ddbench.types import LabeledImages, StageContext

HARD = HardLabels(epochs_by_ipc=((100, 6),), evaluations=3)
SOFT = with_soft_labels(HARD)
NET = ConvNet(depth=2, width=8)


def pixels(labels, channels=1, seed=0):
    noise = torch.randint(-40, 40, (len(labels), channels, 8, 8), generator=torch.Generator().manual_seed(seed))
    return (60 + 60 * labels.view(-1, 1, 1, 1) + noise).to(torch.uint8)


def brightness(soft, n=10, channels=1):
    """Three classes that differ in brightness, with soft labels made from a function of the hard ones."""
    labels = torch.arange(3).repeat_interleave(n)
    return LabeledImages(pixels(labels, channels), labels, ("dark", "grey", "light"), soft(labels))


def one_hot(labels):
    return F.one_hot(labels, 3).float()


def judge(protocol, train, test=None):
    test = test or dataclasses.replace(train, images=pixels(train.labels, train.images.shape[1], seed=1), soft=None)
    return protocol.evaluate(train, test, NET, StageContext(seed=0))


def test_protocols_say_which_labels_they_use():
    assert [p.labels for p in (cpu_small_1, igd_adamw_1, rded_1k_1)] == ["hard", "hard", "teacher"]
    assert [p.labels for p in (cpu_small_soft_1, igd_adamw_soft_1)] == ["set", "set"]


@pytest.mark.parametrize(("hard", "soft"), [(cpu_small_1, cpu_small_soft_1), (igd_adamw_1, igd_adamw_soft_1)])
def test_a_soft_protocol_is_the_hard_one_in_all_but_the_labels(hard, soft):
    assert isinstance(soft, GivenSoftLabels)
    assert dataclasses.asdict(soft) == dataclasses.asdict(hard)


def test_one_hot_rows_are_hard_labels_exactly():
    logits = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
    own, other = torch.tensor([0, 1, 2, 0, 1, 2, 2]), torch.tensor([1, 1, 0, 2, 2, 0, 1])
    for target in (
        Target(own, soft=one_hot(own)),
        Target(own, other, 0.7, one_hot(own), one_hot(other)),
    ):
        assert torch.equal(soft_cross_entropy(logits, logits, target), cross_entropy(logits, logits, target))


@pytest.mark.parametrize("cut", [False, True])
def test_training_on_one_hot_rows_is_training_on_hard_labels_exactly(cut):
    hard = dataclasses.replace(HARD, cutmix=cut)
    assert judge(with_soft_labels(hard), brightness(one_hot)) == judge(hard, brightness(one_hot))


def test_the_loss_is_the_divergence_from_the_given_distribution_and_its_entropy():
    random = torch.Generator().manual_seed(0)
    logits, p = torch.randn(5, 3, generator=random), torch.rand(5, 3, generator=random).softmax(1)
    found = soft_cross_entropy(logits, logits, Target(torch.zeros(5).long(), soft=p))
    divergence = F.kl_div(logits.log_softmax(1), p, reduction="batchmean")
    torch.testing.assert_close(found, divergence - (p * p.log()).sum(1).mean())


def test_a_mixed_batch_is_judged_by_both_distributions_mixed_by_area():
    random = torch.Generator().manual_seed(0)
    logits, p, q = (torch.randn(5, 3, generator=random) for _ in range(3))
    p, q, none = p.softmax(1), q.softmax(1), torch.zeros(5).long()
    found = soft_cross_entropy(logits, logits, Target(none, none, 0.3, p, q))
    mixed = 0.3 * p + 0.7 * q
    torch.testing.assert_close(found, -(mixed * logits.log_softmax(1)).sum(1).mean())


def test_a_classifier_learns_what_the_set_says_and_not_its_classes():
    """Soft labels that call each class by the next one's name: by hard labels, every answer is wrong."""
    turned = brightness(lambda labels: one_hot((labels + 1) % 3), n=20)
    longer = dataclasses.replace(HARD, epochs_by_ipc=((100, 25),), evaluations=1)
    assert judge(with_soft_labels(longer), turned).curve[-1][1] < 0.1
    assert judge(longer, turned).curve[-1][1] > 0.8


def test_hard_protocols_ignore_soft_labels():
    data = brightness(lambda labels: one_hot((labels + 1) % 3))
    assert judge(HARD, data) == judge(HARD, dataclasses.replace(data, soft=None))


def test_a_set_without_soft_labels_is_refused():
    with pytest.raises(ValueError, match="soft labels of the set, and the set has none: choose a protocol with hard"):
        judge(SOFT, dataclasses.replace(brightness(one_hot), soft=None))


def unlike(labels):
    """Rows that no permutation of classes leaves alone."""
    return torch.tensor([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.05, 0.15, 0.8]])[labels]


def test_the_order_of_the_classes_does_not_matter():
    data = brightness(unlike)
    test = dataclasses.replace(data, images=pixels(data.labels, seed=1))
    # The same images with the same distributions by name, classes listed in another order.
    order = torch.tensor([2, 0, 1])  # where dark, grey, light stand below
    turned = LabeledImages(data.images, order[data.labels], ("grey", "light", "dark"), data.soft[:, [1, 2, 0]])
    assert judge(SOFT, turned, test) == judge(SOFT, data, test)
    unturned = dataclasses.replace(turned, soft=data.soft)
    assert judge(SOFT, unturned, test) != judge(SOFT, data, test)


def test_rows_follow_their_images_and_columns_their_classes():
    data = brightness(unlike, n=1)
    shuffled = LabeledImages(
        data.images[[2, 0, 1]], torch.tensor([0, 1, 2]), ("light", "dark", "grey"), data.soft[[2, 0, 1]][:, [2, 0, 1]]
    )
    found = by_name(shuffled, ("dark", "grey", "light"))
    assert torch.equal(found.images, data.images)
    assert found.labels.tolist() == [0, 1, 2]
    torch.testing.assert_close(found.soft, data.soft)


def test_rows_that_sum_to_one_nearly_are_scaled_to_it():
    data = brightness(lambda labels: unlike(labels) * 1.0008)
    found = by_name(data, data.classes)
    torch.testing.assert_close(found.soft.sum(1), torch.ones(30), rtol=0, atol=1e-6)


def test_augmented_rgb_images_are_trained_with_the_sets_distributions():
    quick = dataclasses.replace(igd_adamw_soft_1, side=16, epochs_by_ipc=((100, 4),), evaluations=2, batch=8)
    found = judge(quick, brightness(unlike, channels=3))
    assert [epoch for epoch, _ in found.curve] == [2, 4]
    assert found == judge(quick, brightness(unlike, channels=3))
    assert found != judge(quick, brightness(one_hot, channels=3))
