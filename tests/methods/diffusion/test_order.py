"""Which images the steps of a training take."""

import dataclasses

import torch

from ddbench import seeding
from ddbench.methods.diffusion.training.options import FineTuning, Training
from ddbench.methods.diffusion.training.order import batches

INDEX = torch.arange(100, 123)  # 23 images: 5 batches of 4, and 3 images left out of each epoch


def shuffled(batch=4, seed=0, index=INDEX):
    return batches(index, FineTuning(batch=batch), seeding.generator("t", seed))


def test_an_epoch_takes_each_image_once_in_an_order_of_its_own():
    batch = shuffled()
    first, second = (torch.cat([batch(5 * epoch + step) for step in range(5)]) for epoch in (0, 1))
    for epoch in (first, second):
        assert len(epoch) == len(epoch.unique()) == 20
        assert set(epoch.tolist()) <= set(INDEX.tolist())
    assert not torch.equal(first, second)
    assert not torch.equal(first, torch.cat([shuffled(seed=1)(step) for step in range(5)]))


def test_a_step_has_the_same_images_whatever_was_asked_before():
    in_order, alone = shuffled(), shuffled()
    assert torch.equal([in_order(step) for step in range(8)][7], alone(7))


def test_fewer_images_than_a_batch_are_taken_as_often_as_it_needs():
    counts = shuffled(batch=10, index=torch.arange(4))(3).bincount()
    assert counts.sum() == 10
    assert counts.min() >= 2 and counts.max() <= 3


def test_with_replacement_the_images_are_the_next_draws_of_the_stream():
    options = dataclasses.replace(Training(), batch=6)
    batch, stream = batches(INDEX, options, seeding.generator("t")), seeding.generator("t")
    for step in range(3):
        assert torch.equal(batch(step), INDEX[torch.randint(23, (6,), generator=stream)])
