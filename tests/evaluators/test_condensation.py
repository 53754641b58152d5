"""The protocol of DC, DSA, DM and MTT: its schedule, its fresh optimiser, its normalisation."""

import dataclasses

import pytest
import torch

from ddbench.evaluators.classifier import begins_afresh, learning_rate
from ddbench.evaluators.condensation import CONSTANTS, dc_1
from ddbench.evaluators.networks import ConvNet
from ddbench.evaluators.recipe import Recipe
from ddbench.evaluators.views import make_view
from ddbench.types import DataFacts, LabeledImages, StageContext

NET = ConvNet(depth=2, width=8)


def data(n=6, channels=3, seed=0):
    labels = torch.arange(2).repeat_interleave(n)
    noise = torch.randint(-30, 30, (2 * n, channels, 16, 16), generator=torch.Generator().manual_seed(seed))
    return LabeledImages((90 + 80 * labels.view(-1, 1, 1, 1) + noise).to(torch.uint8), labels, ("dark", "light"))


def test_the_rate_falls_to_a_tenth_once_past_half_of_the_epochs():
    """The source runs epochs 0 to E and changes the rate after epoch E // 2 + 1."""
    rates = [learning_rate(dc_1, 3 * epoch, 3, 1001) for epoch in range(1001)]
    assert rates[:502] == [0.01] * 502
    assert rates[502:] == pytest.approx([0.001] * 499)
    afresh = [step for step in range(3003) if begins_afresh(dc_1, step, 3, 1001)]
    assert afresh == [3 * 502]


def test_the_fresh_optimiser_forgets_its_momentum():
    """Against the loop of the source in plain torch, on one batch of the whole set: equal weights after every epoch."""
    recipe = dataclasses.replace(dc_1, epochs_by_ipc=((1, 6),), siamese="", evaluations=6)
    train = data()
    seen = {}

    class Watched(ConvNet):
        def __call__(self, shape, num_classes):
            seen["net"] = super().__call__(shape, num_classes)
            seen["first"] = {k: v.clone() for k, v in seen["net"].state_dict().items()}
            return seen["net"]

    recipe.evaluate(train, data(seed=1), Watched(depth=2, width=8), StageContext(seed=0, dataset="cifar10"))
    net = ConvNet(depth=2, width=8)((3, 16, 16), 2)
    net.load_state_dict(seen["first"])
    mean, sd = (torch.tensor(v).view(1, 3, 1, 1) for v in CONSTANTS["cifar10"])
    x, lr = (train.images / 255 - mean) / sd, 0.01
    optimiser = torch.optim.SGD(net.parameters(), lr=lr, momentum=0.9, weight_decay=5e-4)
    for epoch in range(6):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(net(x), train.labels).backward()
        optimiser.step()
        if epoch == 5 // 2 + 1:
            lr *= 0.1
            optimiser = torch.optim.SGD(net.parameters(), lr=lr, momentum=0.9, weight_decay=5e-4)
    for name, weight in net.state_dict().items():
        torch.testing.assert_close(seen["net"].state_dict()[name], weight, rtol=1e-4, atol=1e-6)


def test_images_are_normalised_by_the_constants_of_the_dataset():
    view = make_view(dataclasses.replace(dc_1, mean=(0.5, 0.5, 0.5), sd=(0.25, 0.25, 0.25)), data().images, "cpu")
    grey = torch.full((1, 3, 16, 16), 255, dtype=torch.uint8)
    torch.testing.assert_close(view.test(grey), torch.full((1, 3, 16, 16), 2.0))


def test_constants_of_other_channels_are_refused_before_a_run():
    wrong = dataclasses.replace(dc_1, mean=(0.5,), sd=(0.25,))
    assert "mean has 1 values" in wrong.problems(DataFacts("d", ("a", "b"), (3, 32, 32)))[0]
    assert list(dc_1.problems(DataFacts("d", ("a", "b"), (1, 32, 32)))) == []


def test_an_unknown_operation_and_lonely_constants_are_refused():
    with pytest.raises(ValueError, match=r"siamese names 'spin'; the operations are color, crop"):
        Recipe(epochs_by_ipc=((1, 1),), siamese="flip_spin")
    with pytest.raises(ValueError, match="mean has 1 values and sd 0"):
        Recipe(epochs_by_ipc=((1, 1),), mean=(0.5,))
    with pytest.raises(ValueError, match="leave side at 0"):
        Recipe(epochs_by_ipc=((1, 1),), siamese="flip", side=64)


def test_train_images_are_augmented_and_judged_ones_are_not():
    images = data(n=40).images
    view = make_view(dc_1, images, "cpu")
    index = torch.arange(len(images))
    plain = view.test(images)
    changed = (view.train(index, torch.Generator().manual_seed(3)) != plain).flatten(1).any(1)
    assert changed.float().mean() > 0.4
    assert torch.equal(view.test(images), plain)


def test_what_can_be_told_apart_is_learnt():
    quick = dataclasses.replace(dc_1, epochs_by_ipc=((1, 41),), evaluations=1)
    assert quick.evaluate(data(), data(seed=1), NET, StageContext(seed=0)).curve[-1][1] > 0.9
