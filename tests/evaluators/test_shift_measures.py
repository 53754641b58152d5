"""The measures themselves: closed forms, and the packages of the papers that proposed them."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddbench.evaluators.shift.diversity import dpp_loss, vendi_score
from ddbench.evaluators.shift.gram import gram
from ddbench.evaluators.shift.moments import moments
from ddbench.evaluators.shift.neighbours import manifold, nearest


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_translated_class_is_as_far_as_it_was_moved_and_as_wide_as_before():
    real = normal(50, 7)
    move = torch.tensor([3.0, 0, 0, -4, 0, 0, 0])
    found = moments(gram(real + move, real))
    width = float(real.double().var(0).sum()) ** 0.5
    assert found["mean_distance"] == pytest.approx(5, rel=1e-6)
    assert found["mean_shift"] == pytest.approx(5 / width, rel=1e-6)
    assert found["spread"] == pytest.approx(1, rel=1e-6)
    assert found["covariance_distance"] == pytest.approx(0, abs=1e-3)
    assert found["frechet"] == pytest.approx(25, rel=1e-5)


def test_a_class_shrunk_by_half_has_half_the_width_and_half_the_width_as_bures_distance():
    real = normal(40, 5)
    found = moments(gram(real.mean(0) + (real - real.mean(0)) / 2, real))
    assert found["mean_distance"] == pytest.approx(0, abs=1e-6)
    assert found["spread"] == pytest.approx(0.5, rel=1e-6)
    assert found["covariance_distance"] == pytest.approx(0.5, rel=1e-5)


@pytest.mark.parametrize(("m", "n", "d"), [(6, 30, 4), (3, 12, 20), (10, 10, 10)])
def test_the_frechet_distance_agrees_with_matrices_of_covariance(m, n, d):
    made, real = normal(m, d, seed=1) * 2 + 1, normal(n, d, seed=2)
    a, b = made.double().numpy(), real.double().numpy()
    sa, sb = np.cov(a.T), np.cov(b.T)
    values, vectors = np.linalg.eigh(sb)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ sa @ root).real, 0, None)).sum()
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(sa) + np.trace(sb) - 2 * cross
    assert moments(gram(made, real))["frechet"] == pytest.approx(expected, rel=1e-5)


def test_one_image_has_a_mean_and_no_covariance():
    found = moments(gram(torch.ones(1, 3), torch.eye(3)))
    assert found["mean_distance"] == pytest.approx(math.sqrt(3 * (2 / 3) ** 2))
    assert found["spread"] is found["covariance_distance"] is found["frechet"] is None


def test_a_class_without_width_has_no_relative_measures():
    found = moments(gram(torch.zeros(2, 3), torch.ones(4, 3)))
    assert found["mean_distance"] == pytest.approx(math.sqrt(3))
    assert found["mean_shift"] is found["spread"] is found["covariance_distance"] is None


def test_blocks_of_columns_change_nothing():
    made, real = normal(4, 23, seed=1) + 5, normal(9, 23, seed=2) + 5
    whole, split = gram(made, real), gram(made, real, columns=5)
    for name in ("made", "cross", "real", "cosines"):
        torch.testing.assert_close(getattr(whole, name), getattr(split, name), rtol=1e-12, atol=1e-12)


def test_features_that_are_not_finite_are_refused():
    with pytest.raises(FloatingPointError, match="not finite"):
        gram(torch.tensor([[math.nan, 0.0]]), torch.eye(2))


def test_orthogonal_images_count_fully_and_copies_count_once():
    assert vendi_score(torch.eye(6, dtype=torch.float64)) == pytest.approx(6)
    assert vendi_score(torch.ones(6, 6, dtype=torch.float64)) == pytest.approx(1)
    assert vendi_score(torch.ones(1, 1, dtype=torch.float64)) == 1
    two_pairs = torch.block_diag(torch.ones(2, 2), torch.ones(2, 2)).double()
    assert vendi_score(two_pairs) == pytest.approx(2)


def test_the_vendi_score_is_that_of_its_authors():
    vendi = pytest.importorskip("vendi_score.vendi")
    cosines = gram(normal(8, 5), normal(3, 5)).cosines
    assert vendi_score(cosines) == pytest.approx(vendi.score_K(cosines.numpy()), rel=1e-9)


def test_the_dpp_loss_in_closed_form():
    assert dpp_loss(torch.eye(4, dtype=torch.float64), 0.5) == pytest.approx(-4 * math.log(1.5))
    # n copies: eigenvalues n and, n - 1 times, 0.
    assert dpp_loss(torch.ones(3, 3, dtype=torch.float64), 1e-3) == pytest.approx(-math.log(3.001) - 2 * math.log(1e-3))


def test_the_dpp_loss_is_that_of_the_guidance():
    from ddbench.methods.diffusion.guidances.dpp import dpp_loss_and_gradient

    made = normal(5, 9)
    expected, _ = dpp_loss_and_gradient(made, 1e-3)
    assert dpp_loss(gram(made, normal(3, 9)).cosines, 1e-3) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_precision_recall_density_coverage_are_those_of_the_reference(k):
    prdc = pytest.importorskip("prdc")
    made, real = 1.5 * normal(12, 4, seed=1) + 2, normal(60, 4, seed=2)
    expected = prdc.compute_prdc(real.double().numpy(), made.double().numpy(), nearest_k=k)
    found = manifold(gram(made, real), k)
    assert found == pytest.approx({name: float(value) for name, value in expected.items()})
    assert 0 < found["precision"] < 1 and 0 < found["recall"] < 1


def test_recall_needs_more_images_than_neighbours():
    found = manifold(gram(normal(5, 3), normal(20, 3)), 5)
    assert found["recall"] is None and found["coverage"] is not None
    assert set(manifold(gram(normal(2, 3), normal(5, 3)), 5).values()) == {None}


def test_what_lies_elsewhere_is_neither_precise_nor_covers():
    found = manifold(gram(normal(8, 3) + 100, normal(30, 3)), 5)
    assert found == {"precision": 0, "recall": 0, "density": 0, "coverage": 0}


@given(rows=st.integers(1, 30), seed=st.integers(0, 5))
def test_nearest_does_not_depend_on_how_many_are_looked_at_once(rows, seed):
    queries, real = normal(4, 3, seed=seed), normal(25, 3, seed=seed + 10)
    queries[1] = real[7]
    itself = torch.tensor([-1, 7, -1, -1])
    apart = torch.cdist(queries.double(), real.double(), compute_mode="donot_use_mm_for_euclid_dist")
    apart[1, 7] = torch.inf
    apart[:, [3, 24]] = torch.inf
    kept = torch.ones(25, dtype=torch.bool)
    kept[[3, 24]] = False
    found = nearest(queries, real, itself, kept, rows=rows)
    torch.testing.assert_close(found, apart.amin(1))


def test_a_copy_is_at_distance_zero_unless_it_is_the_image_itself():
    real = torch.tensor([[0.0, 0], [3, 4]])
    both = torch.tensor([True, True])
    assert nearest(real[:1], real, torch.tensor([-1]), both).tolist() == [0]
    assert nearest(real[:1], real, torch.tensor([0]), both).tolist() == [5]
