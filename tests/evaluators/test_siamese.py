"""DSA's operations with a draw for each image: those of distillation, image by image."""

import pytest
import torch

from ddbench.evaluators.siamese import OPERATIONS, augment_one
from ddbench.learning import dsa


def images(n=6, channels=3, height=10, width=8):
    return torch.randn(n, channels, height, width, generator=torch.Generator().manual_seed(1))


def test_the_operations_are_those_of_distillation():
    assert set(OPERATIONS) == set(dsa.OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_image_is_changed_as_it_would_be_alone(name):
    x, u = images(), torch.rand(6, 3, generator=torch.Generator().manual_seed(2))
    alone = [dsa.OPERATIONS[name](one[None], tuple(row.tolist())) for one, row in zip(x, u, strict=True)]
    torch.testing.assert_close(OPERATIONS[name](x, u), torch.cat(alone), rtol=1e-4, atol=1e-5)


def test_one_operation_is_drawn_for_a_batch():
    random = torch.Generator().manual_seed(0)
    names = ("flip", "cutout")
    changed = set()
    for _ in range(20):
        found = augment_one(torch.ones(4, 1, 8, 8), names, random)
        changed.add(bool((found == 0).any()))
    assert changed == {False, True}  # flipping ones changes nothing; cutting out clears some of each
