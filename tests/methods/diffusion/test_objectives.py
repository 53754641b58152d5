"""Fine-tuning objectives in closed form."""

import pytest
import torch

from ddbench.methods.diffusion.objectives.minimax import Minimax
from ddbench.methods.diffusion.objectives.objective import Plain, Prediction
from ddbench.methods.diffusion.objectives.rsm import RSM


def prediction(x0_hat, labels=None, x0=None, abar=0.25):
    """A prediction whose x0_hat is the given tensor: eps_hat is solved for."""
    abar_t = torch.full((len(x0_hat), 1, 1, 1), abar)
    x_t = torch.randn(x0_hat.shape, generator=torch.Generator().manual_seed(9))
    eps_hat = (x_t - abar_t.sqrt() * x0_hat) / (1 - abar_t).sqrt()
    labels = torch.zeros(len(x0_hat), dtype=torch.long) if labels is None else labels
    return Prediction(x0=x0_hat if x0 is None else x0, x_t=x_t, eps_hat=eps_hat, abar=abar_t, labels=labels)


def test_plain_adds_nothing():
    assert Plain().begin()(prediction(torch.ones(2, 1, 2, 2))) == {}


def test_rsm_is_the_weighted_mean_of_absolute_values():
    p = prediction(torch.full((3, 1, 2, 2), -0.5))
    torch.testing.assert_close(RSM(weight=0.1).begin()(p)["l1"], torch.full((3,), 0.05))


def test_rsm_sum_is_the_mean_times_the_number_of_elements():
    p = prediction(torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(0)))
    mean = RSM(weight=1).begin()(p)["l1"]
    torch.testing.assert_close(RSM(weight=1, reduction="sum").begin()(p)["l1"], 256 * mean)


def test_rsm_can_undo_the_growth_of_x0_hat_with_noise():
    p = prediction(torch.full((2, 1, 2, 2), 2.0), abar=0.25)
    torch.testing.assert_close(RSM(weight=1, timesteps="sqrt_abar").begin()(p)["l1"], torch.full((2,), 1.0))


def vectors(*rows):
    return torch.tensor(rows, dtype=torch.float32).view(len(rows), -1, 1, 1)


def test_the_first_batch_of_a_class_adds_nothing_to_minimax():
    terms = Minimax().begin()(prediction(vectors([1, 0], [0, 1]), torch.tensor([0, 1])))
    assert terms["representativeness"] == 0
    assert terms["diversity"] == 0


def test_minimax_takes_the_farthest_real_and_the_nearest_prediction():
    terms = Minimax(representativeness=1, diversity=1).begin()
    terms(prediction(vectors([1, 0], [0, 1]), x0=vectors([1, 0], [0, 1])))
    found = terms(prediction(vectors([3, 4]), x0=vectors([1, 1])))
    assert found["representativeness"].item() == pytest.approx(1 - 0.6)  # cosines to real: 0.6 and 0.8
    assert found["diversity"].item() == pytest.approx(0.8)


def test_minimax_averages_over_the_classes_of_the_batch():
    terms = Minimax(representativeness=1, diversity=1).begin()
    terms(prediction(vectors([1, 0]), torch.tensor([0])))
    found = terms(prediction(vectors([0, 1], [0, 1]), torch.tensor([0, 1])))  # class 1 has no memory yet
    assert found["representativeness"].item() == pytest.approx(0.5)


def test_minimax_forgets_the_oldest_first():
    terms = Minimax(representativeness=1, diversity=1, memory=1).begin()
    terms(prediction(vectors([1, 0])))
    terms(prediction(vectors([0, 1])))
    found = terms(prediction(vectors([0, 1])))
    assert found["diversity"].item() == pytest.approx(1.0)
    assert found["representativeness"].item() == pytest.approx(0.0, abs=1e-6)


def test_memories_of_two_runs_are_apart():
    objective = Minimax()
    objective.begin()(prediction(vectors([1, 0])))
    assert objective.begin()(prediction(vectors([1, 0])))["diversity"] == 0


def test_every_objective_passes_gradient_to_the_network():
    for objective in (RSM(), Minimax()):
        terms = objective.begin()
        p = prediction(torch.randn(4, 1, 4, 4))
        terms(p)
        eps_hat = p.eps_hat.clone().requires_grad_(True)
        loss = sum(v.mean() for v in terms(Prediction(p.x0 + 1, p.x_t, eps_hat, p.abar, p.labels)).values())
        (gradient,) = torch.autograd.grad(loss, eps_hat)
        assert gradient.abs().sum() > 0
