"""The picture of a search."""

import re
from itertools import product

import pytest
from PIL import Image

from ddbench.api.sensitivity import flat_lines, settings
from ddbench.results.interaction import maps
from ddbench.results.sensitivity import Parameter, Setting, draw
from ddbench.results.statistics.flat import around_best
from ddbench.store.opening import open_store
from ddbench.tune import record
from ddbench.tune.record import TrialRow, Tune
from tests.support.invoke import invoke
from tests.support.records import cell

WEIGHT, KIND = "methods.m.weight", "methods.m.kind"


def rows():
    judged = (cell("m", seed=s, split="s/validation", protocol="p@1") for s in (0, 1))
    cells = tuple({"cell": vars(one), "key": "k", "top1": 0.5 + 0.1 * one.seed} for one in judged)
    own = {WEIGHT: 0.01, KIND: "a"}
    varied = [(WEIGHT, 0), (WEIGHT, 0.1), (WEIGHT, 1.0), (KIND, "b")]
    yield TrialRow(0, own, (), "ok", "", 2, 0.55, cells)
    for i, (key, value) in enumerate(varied, 1):
        yield TrialRow(i, {**own, key: value}, (key,), "ok", "", 2, 0.5 + i / 100, cells)
    yield TrialRow(5, {WEIGHT: 0.5, KIND: "b"}, (WEIGHT, KIND), "stopped", "early", 1, 0.4, cells[:1])
    yield TrialRow(6, {**own, WEIGHT: 9.0}, (WEIGHT,), "failed", "no", 0, None, ())


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path / "s", create=True)
    space = {WEIGHT: "grid(0, 0.1, 1, 9)", KIND: "grid(a, b)"}
    about = {"search": "one-at-a-time", "scheduler": "asha", "draws": 1, "seed": 0, "rounds": 2}
    found = Tune("study", "m", "validation", {}, space, trials=tuple(rows()), **about)
    record.write(opened, found)
    return opened


@pytest.mark.parametrize(("suffix", "begins"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_a_search_is_drawn_in_each_format(store, tmp_path, suffix, begins):
    out = tmp_path / f"x.{suffix}"
    done = invoke("sensitivity", "--store", store.root, "--out", out)
    assert done.returncode == 0, done.stderr
    assert out.read_bytes().startswith(begins)


def test_the_figure_says_what_it_shows(store, tmp_path):
    invoke("sensitivity", "--store", store.root, "--out", tmp_path / "x.svg")
    said = " ".join(re.findall(r"<!-- (.*?) -->", (tmp_path / "x.svg").read_text()))
    assert "n = 2 distilled sets, 1 classifier each. Split s/validation, protocol p@1." in said
    assert "bars: 95 % t interval over them" in said


def test_the_same_search_is_the_same_picture(store, tmp_path):
    for name in ("a.png", "b.png"):
        invoke("sensitivity", "--store", store.root, "--out", tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_there_is_a_panel_for_each_parameter(store, tmp_path):
    settings = [Setting({WEIGHT: 1, KIND: "a"}, (), 0.5, None, True, True)]
    one, two = Parameter(WEIGHT, "weight", True), Parameter(KIND, "kind", False)
    for parameters, name in (([one], "1.png"), ([one, two, two, one], "4.png")):
        draw(tmp_path / name, "title", parameters, settings)
    small, large = (Image.open(tmp_path / name).size for name in ("1.png", "4.png"))
    assert large[0] > 1.5 * small[0]
    assert large[1] > 1.5 * small[1]


def test_slips_are_named(store, tmp_path):
    for arguments, message in (
        (["--out", tmp_path / "x.jpg"], "must end in .png, .pdf, .svg"),
        (["nothing", "--out", tmp_path / "x.png"], "unknown search 'nothing'"),
    ):
        done = invoke("sensitivity", *arguments, "--store", store.root)
        assert done.returncode == 2
        assert message in done.stderr
    open_store(tmp_path / "empty", create=True)
    assert "holds no search" in invoke("sensitivity", "--store", tmp_path / "empty", "--out", tmp_path / "x.png").stderr


def grid_rows(spread=(0.0, 0.01, -0.01)):
    """Combinations of two parameters, three sets each: a ridge along the first, which is flat below 1."""
    x, y = "methods.m.lambda", "methods.m.eta"
    for i, (a, b) in enumerate(product((0.01, 0.1, 1.0), (1, 5))):
        mean = (0.8 if a < 1 else 0.5) - (0.2 if b == 5 else 0.0)
        cells = tuple({"cell": vars(cell("m", seed=s)), "key": "k", "top1": mean + w} for s, w in enumerate(spread))
        yield TrialRow(i, {x: a, y: b}, (x, y) if i else (), "ok", "", 3, mean, cells)


def searched(rows, search="grid"):
    space = {"methods.m.lambda": "grid(0.01, 0.1, 1)", "methods.m.eta": "grid(1, 5)"}
    return Tune("s", "m", "validation", {}, space, search, "fifo", 0, 0, 3, tuple(rows))


def test_combinations_are_a_map_and_a_cross_is_none():
    search = searched(grid_rows())
    found = settings(search, search.trials)
    (one,) = maps(list(search.space), found)
    assert (one.xs, one.ys) == ((0.01, 0.1, 1.0), (1, 5))
    assert one.top1 == (pytest.approx((80, 80, 50)), pytest.approx((60, 60, 30)))
    assert one.chosen == (0, 0)
    cross = [s for s in found if s.values["methods.m.eta"] == 1 or s.values["methods.m.lambda"] == 0.01]
    assert len(cross) == 4 and maps(list(search.space), cross) == []


def test_it_is_said_where_the_optimum_is_flat():
    assert flat_lines(searched(grid_rows())) == [
        "methods.m.lambda: best 0.01 (80.0 %); shown to be within 2 points of it: 0.1; shown to be worse: 1",
        "methods.m.eta: best 1 (80.0 %); shown to be worse: 5",
    ]


def test_neither_is_said_of_what_few_sets_do_not_tell():
    by_value = {"a": {0: 0.80, 1: 0.70}, "b": {0: 0.70, 1: 0.78}, "c": {0: 0.5}}
    assert around_best(by_value) == {"a": "best", "b": "not told", "c": "not told"}


def test_the_interval_of_a_setting_is_that_of_t():
    (one, *_) = settings(searched(grid_rows()), searched(grid_rows()).trials)
    assert one.half == pytest.approx(4.302652729911275 * 0.01 / 3**0.5)


def test_the_map_is_drawn_below_the_curves(tmp_path):
    search = searched(grid_rows())
    parameters = [Parameter(key, key, False) for key in search.space]
    for name, rows in (("map.png", search.trials), ("none.png", search.trials[:2])):
        draw(tmp_path / name, "title", parameters, settings(search, rows))
    with_map, without = (Image.open(tmp_path / name).size for name in ("map.png", "none.png"))
    assert with_map[1] > 1.5 * without[1]


def test_the_command_prints_where_it_is_flat(tmp_path):
    opened = open_store(tmp_path / "g", create=True)
    record.write(opened, searched(grid_rows()))
    done = invoke("sensitivity", "--store", opened.root, "--out", tmp_path / "x.png", "--margin", "1")
    assert "methods.m.lambda: best 0.01 (80.0 %); shown to be within 1 point of it: 0.1" in done.stdout
