"""Every work of the table of rates runs, at toy size and on the processor, so that a card's minutes are not lost."""

import pytest

from tests.gpu.works import WORKS, judging_as_it_was


@pytest.mark.parametrize("name", WORKS)
def test_a_work_runs_at_toy_size(name):
    function, least = WORKS[name]
    assert function("cpu", True) >= 0
    assert least >= 1


def test_the_baseline_of_judging_runs_at_toy_size():
    assert judging_as_it_was("cpu", True) >= 0
