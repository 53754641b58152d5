"""Balanced accuracy, against scikit-learn's on the same answers."""

from dataclasses import replace

import pytest
import torch
from sklearn.metrics import balanced_accuracy_score

from ddbench.results.statistics.balanced import balanced
from ddbench.results.tables import blocks, markdown, rows
from ddbench.results.tables.balanced import balanced_table
from ddbench.stages.evaluate import _by_class
from ddbench.types import Evaluation, LabeledImages
from tests.support.records import cell, judged, record, sampled

CLASSES = ("b", "a", "c")
LABELS = torch.tensor([0] * 8 + [1] * 2 + [2] * 3)


def with_classes(c, seed):
    """A record whose judged images are right by chance, and the answers that it stands for."""
    random = torch.Generator().manual_seed(seed)
    right = torch.rand(len(LABELS), generator=random) < 0.6
    images = LabeledImages(torch.zeros(len(LABELS), 1, 2, 2, dtype=torch.uint8), LABELS, CLASSES)
    counts = _by_class(Evaluation(curve=((1, 0.0),), correct=tuple(right.tolist())), images)
    return replace(judged(c, right.tolist()), by_class=counts), torch.where(right, LABELS, (LABELS + 1) % 3)


@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_mean_recall(seed):
    one, answers = with_classes(cell(), seed)
    assert balanced([one]).mean == pytest.approx(balanced_accuracy_score(LABELS, answers))


def test_classes_stand_in_order_of_name_and_those_without_images_are_left_out():
    one, _ = with_classes(cell(), 0)
    assert [n for _, n in one.by_class] == [2, 8, 3]
    images = LabeledImages(torch.zeros(2, 1, 2, 2, dtype=torch.uint8), torch.tensor([1, 1]), CLASSES)
    assert _by_class(Evaluation(curve=((1, 0.5),), correct=(True, False)), images) == ((1, 2),)


def test_the_spread_is_over_distilled_sets():
    records = [with_classes(cell(seed=s, eval_seed=e), 2 * s + e)[0] for s in (0, 1) for e in (0, 1)]
    values = [[balanced([records[2 * s + e]]).mean for e in (0, 1)] for s in (0, 1)]
    a, b = (sum(v) / 2 for v in values)
    found = balanced(records)
    assert found.mean == pytest.approx((a + b) / 2)
    assert found.sd == pytest.approx(abs(a - b) / 2**0.5)
    assert (found.fewest, found.most, found.unequal) == (2, 8, True)


def test_records_without_classes_have_none():
    assert balanced([record(cell(), 0.5)]) is None
    assert balanced([]) is None


def test_the_layout_has_both_accuracies():
    records = [replace(record(cell("x"), 0.75), by_class=((2, 2), (4, 6))), record(cell("y"), 0.5)]
    (block,) = blocks({p: s.estimate for p, s in sampled(records).items()}, "last")
    table = balanced_table(block)
    assert markdown([table]).splitlines()[2:4] == [
        "| d | net | 1 | x | 75.0 | 83.3 | +8.3 | 66.7 | 2 to 6 |",
        "| d | net | 1 | y | 50.0 | – | – | – | – |",
    ]
    assert [row["balanced_mean"] for row in rows([table])] == [pytest.approx(5 / 6), None]
