"""Ranges of a search, read from text, and the settings drawn from them."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbench.errors import BenchError
from ddbench.tune.ranges import parse_parameter, parse_range
from ddbench.tune.space import default_search, propose

NUMBER = st.floats(-1e6, 1e6).map(lambda x: float(f"{x:.6g}"))
ABOVE_ZERO = st.floats(1e-6, 1e6)
NOT_WORDS = {"y", "n", "no", "yes", "on", "off", "true", "false", "null"}
"""which YAML reads as something else"""
WORD = st.from_regex(r"[a-z_]{1,6}", fullmatch=True).filter(lambda word: word not in NOT_WORDS)
BOOLEAN = st.sampled_from(["true", "false"])


def read(text):
    return parse_range(text, "here")


@given(NUMBER, NUMBER, st.integers())
def test_a_uniform_draw_lies_between_the_ends(a, b, seed):
    low, high = sorted((a, b))
    if low == high:
        with pytest.raises(BenchError, match="below the second"):
            read(f"uniform({a}, {b})")
        return
    found = read(f"uniform({low!r}, {high!r})")
    assert found.corners() == (low, high)
    assert low <= found.draw(random.Random(seed)) <= high


@given(ABOVE_ZERO, st.floats(1.5, 1e6), st.integers())
def test_a_loguniform_draw_lies_between_the_ends_and_survives_printing(low, ratio, seed):
    high = low * ratio
    value = read(f"loguniform({low!r},{high!r})").draw(random.Random(seed))
    assert low <= value <= high
    assert float(str(value)) == value


def test_loguniform_draws_orders_of_magnitude_alike():
    found, at = read("loguniform(1e-4, 1e-1)"), random.Random(0)
    decades = [math.floor(math.log10(found.draw(at))) for _ in range(3000)]
    assert all(abs(decades.count(d) / 3000 - 1 / 3) < 0.04 for d in (-4, -3, -2))


@given(st.integers(-50, 50), st.integers(1, 20), st.integers())
def test_randint_includes_both_ends_and_nothing_beyond(low, length, seed):
    found = read(f"randint({low}, {low + length})")
    value = found.draw(random.Random(seed))
    assert isinstance(value, int)
    assert low <= value <= low + length
    drawn = {read("randint(0, 1)").draw(random.Random(s)) for s in range(50)}
    assert drawn == {0, 1}


@given(st.lists(st.one_of(st.integers(), WORD, BOOLEAN), min_size=1, max_size=5, unique=True))
def test_a_list_is_read_as_yaml_reads_it(values):
    for kind in ("choice", "grid"):
        found = read(f"{kind}({', '.join(map(str, values))})")
        assert [str(v).lower() if isinstance(v, bool) else v for v in found.values] == values
        assert found.draw(random.Random(0)) in found.values


def test_exponents_are_numbers_and_lists_may_hold_lists():
    assert read("grid(1e-4, 2.5E+3, 3)").values == (1e-4, 2500.0, 3)
    assert read("grid([0, 1], [0, 1e-1])").values == ([0, 1], [0, 0.1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("loguniforn(1, 2)", "Did you mean 'loguniform'?"),
        ("0.1", "is not a range"),
        ("uniform(1)", "takes two numbers"),
        ("uniform(a, b)", "takes two numbers"),
        ("uniform(2, 1)", "must be below the second"),
        ("loguniform(0, 1)", "starts above zero"),
        ("randint(0, 1.5)", "whole numbers"),
        ("grid()", "is empty. Example: grid(1, 5, 50)"),
        ("choice(1, 2, 1)", "names 1 twice"),
        ("choice(1, [2)", "cannot read the values"),
        ("choice(.inf)", "cannot read the values"),
        ("choice({a: 1})", "cannot read the values"),
    ],
)
def test_a_slip_in_a_range_is_named(text, message):
    with pytest.raises(BenchError) as error:
        read(text)
    assert message in str(error.value)


@pytest.mark.parametrize("text", ["methods.rsm.weight", "=grid(1)", "weight=grid(1)", "a b.c=grid(1)"])
def test_a_parameter_is_a_dotted_key_and_a_range(text):
    with pytest.raises(BenchError, match=r"is not key=range. Example: --param methods.rsm"):
        parse_parameter(text)
    assert parse_parameter("methods.rsm.x=grid(1, 2)") == ("methods.rsm.x", read("grid(1, 2)"))


SPACE = {"a.x": read("uniform(0, 1)"), "a.y": read("choice(p, q)")}


@given(st.integers(0, 20), st.integers(1, 12), st.integers(0, 5))
def test_more_trials_only_add_to_fewer(seed, trials, more):
    few, many = propose(SPACE, "random", trials, seed), propose(SPACE, "random", trials + more, seed)
    assert many[:trials] == few
    assert len(many) == trials + more


def test_a_draw_depends_on_its_own_key_seed_and_place_alone():
    alone = propose({"a.x": SPACE["a.x"]}, "random", 5, 0)
    assert [v["a.x"] for v in propose(SPACE, "random", 5, 0)] == [v["a.x"] for v in alone]
    assert propose(SPACE, "random", 5, 1) != propose(SPACE, "random", 5, 0)


def test_a_small_space_is_drawn_from_without_repeats():
    drawn = propose({"a.y": read("choice(p, q, r)")}, "random", 10, 0)
    assert sorted(v["a.y"] for v in drawn) == ["p", "q", "r"]


def test_a_grid_is_every_combination_and_one_at_a_time_each_list_alone():
    space = {"a.x": read("grid(1, 2)"), "a.y": read("grid(p, q, r)")}
    assert len(propose(space, "grid", 1, 0)) == 6
    assert propose(space, "one-at-a-time", 1, 0) == [{"a.x": 1}, {"a.x": 2}, *({"a.y": v} for v in "pqr")]
    assert default_search(space) == "grid"
    assert default_search(SPACE) == "random"


def test_searches_that_the_ranges_do_not_allow_are_refused():
    with pytest.raises(BenchError, match=r"needs a list for a.x"):
        propose(SPACE, "grid", 1, 0)
    with pytest.raises(BenchError, match=r"Use choice\(...\)"):
        propose({"a.x": read("grid(1, 2)")}, "random", 1, 0)
