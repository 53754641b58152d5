"""Siamese augmentation: one transform for a whole batch, differentiable, and the identity where it should be."""

import pytest
import torch

from ddbench.learning.dsa import OPERATIONS, Siamese, color, crop, cutout, flip, rotate, scale

X = torch.rand(3, 2, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_image_is_transformed_alike_whatever_it_is_batched_with(name):
    augment = Siamese((name,))
    parameters = augment.draw(torch.Generator().manual_seed(3), (2, 8, 8))
    torch.testing.assert_close(augment(X, parameters)[1:2], augment(X[1:2], parameters))


@pytest.mark.parametrize("name", OPERATIONS)
def test_gradients_pass(name):
    x = X.clone().requires_grad_(True)
    Siamese((name,))(x, {name: (0.3, 0.6, 0.9)}).sum().backward()
    assert x.grad.abs().sum() > 0


def test_neutral_parameters_are_the_identity():
    torch.testing.assert_close(color(X, (0.5, 0.5, 0.5)), X)
    torch.testing.assert_close(crop(X, (0.5, 0.5, 0.0)), X)
    torch.testing.assert_close(flip(X, (0.9, 0.0, 0.0)), X)
    torch.testing.assert_close(rotate(X, (0.5, 0.0, 0.0)), X, rtol=1e-4, atol=1e-5)
    neutral = (1 - 1 / 1.2) / (1.2 - 1 / 1.2)
    torch.testing.assert_close(scale(X, (neutral, neutral, 0.0)), X, rtol=1e-4, atol=1e-5)


def test_crop_shifts_and_fills_with_zeros():
    shifted = crop(X, (0.999, 0.5, 0.0))  # one pixel, an eighth of eight
    assert torch.equal(shifted[:, :, :-1], X[:, :, 1:])
    assert shifted[:, :, -1].abs().max() == 0


def test_cutout_clears_at_most_a_quarter():
    cleared = (cutout(torch.ones(1, 1, 8, 8), (0.5, 0.5, 0.0)) == 0).sum().item()
    assert cleared == 16


def test_flip_happens_half_of_the_time():
    augment, random = Siamese(("flip",)), torch.Generator().manual_seed(0)
    flipped = [torch.equal(augment(X, augment.draw(random, (2, 8, 8))), X.flip(3)) for _ in range(200)]
    assert 70 < sum(flipped) < 130


def test_one_operation_is_drawn_for_a_step_or_all_are_used():
    names = tuple(OPERATIONS)
    random = torch.Generator().manual_seed(0)
    assert {len(Siamese(names, "one").draw(random, (1, 8, 8))) for _ in range(20)} == {1}
    assert set(Siamese(names, "all").draw(random, (1, 8, 8))) == set(names)


def test_an_unknown_operation_is_named():
    with pytest.raises(ValueError, match="'rotat'"):
        Siamese(("rotat",))
