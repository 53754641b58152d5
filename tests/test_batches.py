"""The batches of an epoch, and the rule for a last batch of one image."""

import pytest
import torch

from ddbench.batches import batch_count, batches


@pytest.mark.parametrize(
    ("images", "size", "sizes"),
    [
        (9025, 64, [64] * 140 + [65]),
        (65, 64, [65]),
        (66, 64, [64, 2]),
        (64, 64, [64]),
        (128, 64, [64, 64]),
        (3, 2, [3]),
        (1, 64, [1]),
        (3, 1, [1, 1, 1]),
    ],
)
def test_a_last_batch_of_one_joins_the_one_before_it(images, size, sizes):
    order = torch.randperm(images, generator=torch.Generator().manual_seed(0))
    parts = batches(order, size)
    assert [len(part) for part in parts] == sizes
    assert torch.equal(torch.cat(parts), order)
    assert batch_count(images, size) == len(sizes)


def test_other_epochs_are_split_as_torch_splits_them():
    for images in range(1, 40):
        for size in range(1, 12):
            order = torch.arange(images)
            if images % size != 1 or size == 1 or images == 1:
                assert list(map(len, batches(order, size))) == list(map(len, order.split(size)))
            assert batch_count(images, size) == len(batches(order, size))
