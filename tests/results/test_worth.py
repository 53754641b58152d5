"""What a set is worth in plain samples: reading the curve, its ends, its interval, and the two shifts."""

import io
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table as RichTable
from sklearn.isotonic import IsotonicRegression

from ddbench.api.terminal import fitted
from ddbench.results.statistics.worth import isotonic, shifts, worth
from ddbench.results.tables.captions import CaptionFacts
from ddbench.results.tables.worth import worth_tables
from ddbench.results.tables.worth_rows import Behind
from tests.support.records import cell, record, sample, sampled


def rows(method, ipc, accuracies):
    return [record(cell(method, seed, ipc=ipc), top1) for seed, top1 in enumerate(accuracies)]


def curve(by_size, wiggle=(0.0, 0.0, 0.0)):
    """Plain sets whose mean at a size is as given, of three sets that differ by ``wiggle`` from it."""
    return {n: sample(rows("dit", n, [mean + w for w in wiggle])) for n, mean in by_size.items()}


LINE = {1: 0.2, 10: 0.4, 100: 0.6}
"""accuracy 0.2 + 0.2 log10 n"""


@pytest.mark.parametrize("n", [1, 2, 10, 31, 100])
def test_a_set_is_worth_the_size_whose_plain_set_trains_as_well(n):
    top1 = 0.2 + 0.2 * math.log10(n)
    found = worth(sample(rows("cgs", 5, [top1, top1, top1])), curve(LINE))
    assert found.samples == pytest.approx(n)
    assert found.interval == pytest.approx((n, n)), "without spread the interval is a point"


def test_beyond_the_measured_sizes_no_number_is_made_up():
    above = worth(sample(rows("cgs", 1, [0.7, 0.7, 0.7])), curve(LINE))
    below = worth(sample(rows("cgs", 1, [0.1, 0.1, 0.1])), curve(LINE))
    assert (above.samples, above.interval) == (math.inf, (math.inf, math.inf))
    assert (below.samples, below.interval) == (0, (0, 0))


def test_the_interval_is_where_the_t_interval_of_the_difference_meets_zero():
    """Half of the interval of the paired difference is the same h at each size, so that it ends at n 10^(-+h / 0.2)."""
    spread = [-0.01, 0.0, 0.01]
    row = sample(rows("cgs", 1, [0.4 + w for w in spread]))
    half = 4.302652729911275 * 0.02 / 3**0.5  # t(2) of differences -0.02, 0, 0.02
    found = worth(row, curve(LINE, spread[::-1]))
    assert found.interval == pytest.approx((10 ** (1 - half / 0.2), 10 ** (1 + half / 0.2)))
    assert found.interval[0] < found.samples < found.interval[1]


def test_a_single_set_has_no_interval_and_an_incomplete_one_no_worth():
    alone = {n: sample(rows("dit", n, [mean])) for n, mean in LINE.items()}
    assert worth(sample(rows("cgs", 1, [0.4])), alone).interval is None
    failed = sample([*rows("cgs", 1, [0.4]), record(cell("cgs", 1), 0, outcome="failed")])
    assert worth(failed, curve(LINE)) is None
    assert worth(sample(rows("cgs", 1, [0.4])), {1: alone[1]}) is None, "one size is no curve"


def test_a_curve_that_falls_is_read_where_its_monotone_fit_first_reaches_the_set():
    falling = curve({1: 0.2, 10: 0.5, 100: 0.4, 1000: 0.7})  # the fit is 0.45 at 10 and 100
    assert worth(sample(rows("cgs", 1, [0.45, 0.45, 0.45])), falling).samples == pytest.approx(10)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=12))
def test_the_monotone_fit_is_that_of_scikit_learn(values):
    expected = IsotonicRegression().fit_transform(np.arange(len(values)), values)
    np.testing.assert_allclose(isotonic(values), expected, atol=1e-9)


def test_both_shifts_add_up_to_what_the_set_lacks():
    row, whole = sample(rows("cgs", 1, [0.3, 0.4, 0.5])), sample(rows("full", 0, [0.9, 0.9, 0.9]))
    lost = shifts(row, curve(LINE), whole)
    assert lost.training.difference == pytest.approx(0.3)
    assert lost.sampling.difference == pytest.approx(0.2)
    assert shifts(row, curve(LINE), None).training is None


def test_no_smaller_set_stands_for_a_largest_one_that_failed():
    broken = curve(LINE) | {1000: sample([record(cell("dit", 0, ipc=1000), 0, outcome="failed")])}
    lost = shifts(sample(rows("cgs", 1, [0.3] * 3)), broken, sample(rows("full", 0, [0.9] * 3)))
    assert (lost.training, lost.sampling) == (None, None)


BEHIND = {name: Behind("dit", "dit") for name in ("cgs", "rsm_cgs", "dit")} | {"rsm": Behind("rsm", "dit")}


def made(rows_of, wanted, factors=(1, 10, 100)):
    """The one table of ``wanted`` (method, ipc), and the plain sets of ``LINE`` beside ``rows_of``."""
    records = [one for n, mean in LINE.items() for one in rows("dit", n, [mean] * 3)]
    (table,) = worth_tables(sampled([*records, *rows_of]), BEHIND, wanted, factors, CaptionFacts())
    return table


def test_the_table_shows_multiples_of_the_sets_own_size():
    table = made(
        rows("cgs", 10, [0.5] * 3) + rows("rsm_cgs", 10, [0.7] * 3), [("cgs", 10), ("rsm_cgs", 10)], factors=(1, 10)
    )
    texts = [[item.text for item in row] for row in table.rows]
    assert [row[3:7] for row in texts] == [
        ["cgs", "50.0 ± 0.0", "3.2 x (3.2)", "3.2 x (3.2)"],
        ["rsm_cgs", "70.0 ± 0.0", "> 10 x (> 10)", "> 10 x (> 10)"],
    ]
    first, second = table.data()
    assert first["worth_of_model"] == pytest.approx(10**0.5)
    assert (second["worth_of_model"], second["worth_of_model_side"]) == (None, "above")


def test_a_row_is_read_by_its_own_multiples_whichever_other_sizes_were_asked_for():
    """At IPC 1 with factors 1 and 10 the plain sets of 100 images, asked for by IPC 10, are no reference."""
    sets = [*rows("cgs", 1, [0.5] * 3), *rows("cgs", 10, [0.3] * 3), *rows("full", 0, [0.9] * 3)]
    alone = made(sets, [("cgs", 1)], factors=(1, 10)).data()
    beside = made(sets, [("cgs", 1), ("cgs", 10)], factors=(1, 10)).data()
    assert beside[0] == alone[0]
    assert [row["largest_plain_ipc"] for row in beside] == [10, 100]
    assert [row["training_shift"] for row in beside] == pytest.approx([0.5, 0.3])
    assert [row["worth_of_model_side"] for row in beside] == ["above", "below"]


def test_plain_rows_are_worth_themselves_by_definition_and_the_prior_stays_measured():
    sets = rows("rsm", 1, [0.4] * 3) + rows("rsm", 10, [0.5] * 3)
    table = made(sets, [("dit", 1), ("rsm", 1)], factors=(1, 10))
    assert [[item.text for item in row[5:7]] for row in table.rows] == [
        ["1 x (by definition)", "1 x (by definition)"],
        ["1 x (by definition)", "10 x (10)"],
    ]
    plain, tuned = table.data()
    assert plain["worth_of_prior_side"] == tuned["worth_of_model_low_side"] == "by definition"
    assert (tuned["worth_of_model"], tuned["worth_of_model_low"], tuned["worth_of_model_high"]) == (1, None, None)
    assert (tuned["worth_of_prior_side"], tuned["worth_of_prior_low_side"]) == ("within", "within")


def test_each_end_of_an_interval_says_on_which_side_it_lies():
    """Three sets that differ much: the interval reaches beyond the measured sizes on both sides."""
    (row,) = made(rows("cgs", 1, [0.1, 0.4, 0.7]), [("cgs", 1)]).data()
    assert (row["worth_of_model_low"], row["worth_of_model_low_side"]) == (None, "below")
    assert (row["worth_of_model_high"], row["worth_of_model_high_side"]) == (None, "above")
    assert row["worth_of_model_side"] == "within"
    (alone,) = made(rows("cgs", 1, [0.4]), [("cgs", 1)]).data()
    assert (alone["worth_of_model_low"], alone["worth_of_model_low_side"]) == (None, "unknown")


def test_the_caption_says_how_much_was_judged_and_why_there_is_no_interval():
    alone = made([*rows("cgs", 1, [0.4]), *rows("full", 0, [0.9] * 2)], [("cgs", 1)]).caption
    assert "Sets: n = 1 distilled set, 1 classifier each." in alone
    assert "Largest plain sets: 100 images a class at IPC 1 (n = 3 distilled sets, 1 classifier each)." in alone
    assert "The whole train split: one set, 1 classifier." in alone
    assert "No interval of a single distilled set" in alone
    assert "No interval" not in made(rows("cgs", 1, [0.4] * 3), [("cgs", 1)]).caption


def test_the_caption_names_plain_sets_that_failed():
    broken = [record(cell("dit", seed, ipc=1000), 0, outcome="failed") for seed in range(3)]
    table = made([*rows("cgs", 1, [0.4] * 3), *broken], [("cgs", 1)], factors=(1, 10, 100, 1000))
    assert "which are on no curve (d/dit/ipc1000/net: " in table.caption
    assert table.rows[0][-1].text == "–"


@pytest.mark.parametrize(("width", "parts"), [(80, 2), (120, 1), (200, 1)])
def test_on_a_terminal_worths_and_shifts_stay_together(width, parts):
    sets = [*rows("cgs", 1, [0.35, 0.4, 0.45]), *rows("rsm_cgs", 1, [0.35, 0.4, 0.47]), *rows("full", 0, [0.9] * 2)]
    table = made(sets, [("dit", 1), ("cgs", 1), ("rsm_cgs", 1)])
    console = Console(width=width, file=io.StringIO())
    tables = [one for one in fitted(table, console) if isinstance(one, RichTable)]
    heads = [[str(column.header).replace("\n", " ") for column in one.columns] for one in tables]
    assert len(heads) == parts
    for first, second in (("worth of its model", "worth of the prior"), ("training shift", "sampling shift")):
        assert any(first in head and second in head for head in heads)
    for one in tables:
        console.print(one)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert any(re.search(r"\d x \([\d.]+ to [\d.]+\)", line) for line in lines), "number and interval on one line"
