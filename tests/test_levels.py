"""Floats become grey levels in one place, which refuses what is not finite; a constant channel is divided by 1."""

import pytest
import torch

from ddbench.evaluators.protocols import cpu_small_1
from ddbench.evaluators.views import make_view
from ddbench.finite import check_loss, check_weights
from ddbench.levels import spread, to_levels
from ddbench.methods import pixels
from ddbench.methods.embedder import Scaling


def test_floats_are_clamped_and_rounded_to_the_nearest_level():
    grey = torch.tensor([-3.0, 0.4, 0.6, 127.5, 254.6, 300.0]).view(1, 1, 2, 3)
    assert to_levels(grey).flatten().tolist() == [0, 0, 1, 128, 255, 255]
    every = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    assert torch.equal(pixels.to_levels(pixels.from_levels(every)), every)


@pytest.mark.parametrize(
    ("value", "what"),
    [(float("nan"), "NaN"), (float("inf"), "infinite"), (float("-inf"), "infinite"), (1e20, r"beyond 2\^24")],
)
def test_no_level_is_made_of_nan_infinity_or_what_has_diverged(value, what):
    grey = torch.zeros(4, 1, 2, 2)
    grey[2, 0, 1, 1] = value
    with pytest.raises(
        FloatingPointError, match=f"of 4 images of class 'cat' are not finite grey levels: 1 {what} of 16"
    ):
        to_levels(grey, ["dog", "dog", "cat", "cat"])
    with pytest.raises(FloatingPointError, match="of 1 of 4 images are not finite grey levels"):
        pixels.to_levels(grey)
    with pytest.raises(FloatingPointError, match="class 'cat'"):
        Scaling((100.0,), (50.0,), 1).levels(grey, ["dog", "dog", "cat", "cat"])


def test_a_channel_below_a_quarter_of_a_level_counts_as_constant():
    assert [spread(sd, 255.0) for sd in (0.0, 0.2, 0.3, 40.0, float("nan"))] == [1.0, 1.0, 0.3, 40.0, 1.0]
    assert [spread(sd, 1.0) for sd in (0.0, 0.0009, 0.2)] == [1.0, 1.0, 0.2]


def test_a_constant_channel_loses_its_mean_and_nothing_else():
    """Test images may vary in it: they are not blown up by a spread of nothing."""
    images = torch.randint(0, 256, (20, 2, 16, 16), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    images[:, 1] = 100
    images[0, 1, 0, 0] = 101  # nearly constant
    seen = torch.full((1, 2, 16, 16), 151, dtype=torch.uint8)
    mean = float(images[:, 1].double().mean())
    judged = make_view(cpu_small_1, images, "cpu").test(seen)[:, 1]
    torch.testing.assert_close(judged, torch.full_like(judged, (151 - mean) / 255), rtol=1e-4, atol=0)
    embedded = Scaling.of(images, 16)(seen, "cpu")[:, 1]
    torch.testing.assert_close(embedded, torch.full_like(embedded, 151 - mean), rtol=1e-4, atol=0)


def test_losses_and_weights_that_are_not_finite_say_where():
    check_loss(3.0, "the embedder", "step 3 of 20", "lower embedder.lr")
    with pytest.raises(FloatingPointError, match=r"the loss of the embedder became inf at step 3 of 20: lower"):
        check_loss(float("inf"), "the embedder", "step 3 of 20", "lower embedder.lr")
    good = [torch.ones(2), torch.tensor([1, 2])]
    check_weights(good, "x", "y", "z")
    with pytest.raises(FloatingPointError, match="the weights of x are not finite after step 4: z"):
        check_weights([*good, torch.tensor([1.0, float("nan")])], "x", "step 4", "z")
