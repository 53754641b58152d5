"""The picture of a search."""

import csv
import json
import re
from itertools import product

import pytest
from matplotlib.figure import Figure
from PIL import Image

import ddbench
from ddbench.api.sensitivity import parameters_of, settings
from ddbench.results.interaction import maps
from ddbench.results.sensitivity import _panel, draw
from ddbench.results.sensitivity_curves import Parameter, Setting, curve_of
from ddbench.results.sensitivity_lines import flat_lines
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


MARGINS = ("nan", "inf", "-1", "0")


def test_slips_are_named(store, tmp_path):
    (tmp_path / "a-file").touch()
    for arguments, message in (
        (["--out", tmp_path / "x.jpg"], "must end in .png, .pdf, .svg, .csv, .json"),
        (["nothing", "--out", tmp_path / "x.png"], "unknown search 'nothing'"),
        *((["--out", tmp_path / "x.png", "--margin", m], f"a margin of {m} points is none") for m in MARGINS),
        (["--out", tmp_path / "x.png", "--margin", "two"], "--margin 'two' is not a number"),
        *((["--out", tmp_path / "a-file" / f"x.{s}"], "a-file is a file, not a folder") for s in ("png", "csv")),
    ):
        done = invoke("sensitivity", *arguments, "--store", store.root)
        assert done.returncode == 2
        assert message in done.stderr
        assert done.stderr.count("\n") == 1
    open_store(tmp_path / "empty", create=True)
    assert "holds no search" in invoke("sensitivity", "--store", tmp_path / "empty", "--out", tmp_path / "x.png").stderr


def grid_rows(spread=(0.0, 0.01, -0.01)):
    """Combinations of two parameters, three sets each: a ridge along the first, which is flat below 1."""
    x, y = "methods.m.lambda", "methods.m.eta"
    for i, (a, b) in enumerate(product((0.01, 0.1, 1.0), (1, 5))):
        mean = (0.8 if a < 1 else 0.5) - (0.2 if b == 5 else 0.0)
        yield TrialRow(i, {x: a, y: b}, (x, y) if i else (), "ok", "", 3, mean, judged_sets(mean, spread))


def judged_sets(mean, spread):
    return tuple({"cell": vars(cell("m", seed=s)), "key": "k", "top1": mean + w} for s, w in enumerate(spread))


def searched(rows, search="grid", keys=("methods.m.lambda", "methods.m.eta")):
    space = dict.fromkeys(keys, "grid(0.01, 0.1, 1)")
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


def lines(search, margin=2.0):
    return flat_lines(parameters_of(search), settings(search, search.trials), margin)


def test_it_is_said_where_the_optimum_is_flat():
    assert lines(searched(grid_rows())) == [
        "methods.m.lambda, with m.eta 1 (as in the best setting): best 0.01 (80.0 %); "
        "shown to be within 2 points of it: 0.1; shown to be worse: 1",
        "methods.m.eta, with m.lambda 0.01 (as in the best setting): best 1 (80.0 %); shown to be worse: 5",
    ]


def test_of_a_search_one_at_a_time_the_line_says_which_curve_it_is_of():
    """The best weight is 1, where b of kind was not tried: the curve of kind is that of the study's own weight."""
    own, means = {WEIGHT: 0.01, KIND: "a"}, {(WEIGHT, 1.0): 0.7, (WEIGHT, 0): 0.69, (KIND, "b"): 0.4}
    tried = [(0.5, own, ())] + [(mean, {**own, key: value}, (key,)) for (key, value), mean in means.items()]
    tried.append((0.3, {WEIGHT: 0.5, KIND: "b"}, (WEIGHT, KIND)))
    found = [
        TrialRow(i, values, varied, "ok", "", 2, mean, judged_sets(mean, (0, 0)))
        for i, (mean, values, varied) in enumerate(tried)
    ]
    found.append(TrialRow(9, {**own, WEIGHT: 9.0}, (WEIGHT,), "failed", "no", 0, None, ()))
    assert lines(searched(found, keys=(WEIGHT, KIND))) == [
        "methods.m.weight, with m.kind a (as in the best setting): best 1 (70.0 %); shown to be within 2 points of it: "
        "0; shown to be worse: 0.01; failed: 9; tried with other values of the others alone: 0.5",
        "methods.m.kind, with m.weight 0.01 (as in the study): best a (50.0 %); shown to be worse: b",
    ]


def test_of_equally_good_values_the_chosen_is_the_best():
    tried = [Setting({WEIGHT: v}, (), 0.5, None, True, v == 1, by_set={0: 0.5, 1: 0.5}) for v in (0, 1, 2)]
    assert curve_of(tried, WEIGHT).near(0.02) == ["flat", "best", "flat"]


def test_what_lies_on_no_curve_is_named_with_its_reason():
    few = [row for row in rows() if row.values[KIND] == "b"]
    chosen = TrialRow(9, {WEIGHT: 3.0, KIND: "c"}, (WEIGHT, KIND), "ok", "", 2, 0.9, few[0].cells)
    first, second = lines(searched([*few, chosen], keys=(WEIGHT, KIND)))
    assert first == (
        "methods.m.weight, with m.kind c (as in the best setting): 3 alone was judged as in the best setting; "
        "tried with other values of the others alone: 0.01, 0.5"
    )
    assert second.endswith("c alone was judged as in the best setting; tried with other values of the others alone: b")


def test_a_single_set_is_said_to_show_nothing():
    first, _ = lines(searched(grid_rows(spread=(0.0,))))
    assert "shown neither to be within 2 points of it nor to be worse: 0.1, 1; a single distilled set shows" in first


def test_values_that_are_equal_as_text_or_in_python_stay_apart():
    values = [0.1234567, 0.1234568, True, 1, [1, 2]]
    tried = [Setting({WEIGHT: v}, (WEIGHT,), 0.5, None, True, i == 0, by_set={0: 0.5}) for i, v in enumerate(values)]
    curve = curve_of(tried, WEIGHT)
    assert [s.values[WEIGHT] for s in curve.settings] == [0.1234567, 0.1234568, 1, True, [1, 2]]


def test_a_blank_of_the_map_says_whether_it_failed_or_was_not_tried():
    x, y = "methods.m.lambda", "methods.m.eta"
    found = list(grid_rows())
    failed = TrialRow(6, {x: 5.0, y: 1}, (x, y), "failed", "no", 0, None, ())
    (one,) = maps([x, y], settings(search := searched([*found[:3], *found[4:], failed]), search.trials))
    assert one.xs == (0.01, 0.1, 1.0, 5.0)
    assert one.blank == (("", "", "", "failed"), ("", "not tried", "", "not tried"))


def test_a_map_is_of_the_values_of_most_settings_and_says_which():
    x, y = "methods.m.lambda", "methods.m.eta"
    tried = [
        Setting({x: a, y: b, KIND: kind}, (x, y), 0.5, None, True, kind == "b" and (a, b) == (1, 5))
        for kind in "ab"
        for a, b in product((0, 1), (1, 5))
    ]
    (one,) = maps([x, y], tried)
    assert one.where({KIND: "kind"}) == "kind b", "of equally many those of the chosen one"
    assert one.chosen == (1, 1)


def test_the_figure_says_at_which_values_its_curves_are(tmp_path):
    search = searched(grid_rows())
    draw(tmp_path / "x.svg", "title", parameters_of(search), settings(search, search.trials))
    said = re.sub(r" +", " ", " ".join(re.findall(r"<!-- (.*?) -->", (tmp_path / "x.svg").read_text(), re.S)))
    assert "curve: m.eta 1 (as in the best setting)" in said
    assert "curve: m.lambda 0.01 (as in the best setting)" in said


def test_a_setting_beside_the_curve_is_a_point_whichever_others_it_varies():
    """The curve of weight is at b, the best setting's; what was tried at a, the study's, is drawn beside it."""
    tried = [
        Setting({WEIGHT: w, KIND: k}, varied, top1, None, True, top1 == 0.9, by_set={0: top1})
        for w, k, varied, top1 in (
            (0, "a", (), 0.5),
            (1, "a", (WEIGHT,), 0.6),
            (2, "b", (WEIGHT, KIND), 0.9),
            (3, "b", (WEIGHT, KIND), 0.7),
        )
    ]
    axes = Figure().subplots()
    _panel(axes, Parameter(WEIGHT, "weight", False), tried, "sd", {KIND: "kind"})
    (beside,) = (one for one in axes.collections if one.get_label() == "with other values of the others")
    assert beside.get_offsets().tolist() == [[1, 60]]
    assert axes.lines[0].get_xydata().tolist() == [[2, 90], [3, 70]]


def test_the_numbers_of_curves_and_maps_are_written_beside_the_picture(tmp_path):
    opened = open_store(tmp_path / "g", create=True)
    record.write(opened, searched(grid_rows()))
    files = [tmp_path / name for name in ("x.png", "x.json", "x.csv")]
    done = invoke("sensitivity", "--store", opened.root, *(word for file in files for word in ("--out", file)))
    assert done.stdout.splitlines()[-3:] == [str(file) for file in files]
    found = json.loads(files[1].read_text())
    assert [row["kind"] for row in found] == ["curve"] * 5 + ["map"] * 6
    best, near, worse = found[:3]
    half = 4.302652729911275 * 0.01 / 3**0.5
    assert (best["value"], best["beside_best"], json.loads(best["others"])) == (0.01, "best", {"methods.m.eta": 1})
    assert (best["top1_mean"], best["ci95_low"]) == (pytest.approx(0.8), pytest.approx(0.8 - half))
    assert (near["beside_best"], worse["beside_best"]) == ("flat", "worse")
    assert {(row["value"], row["value_2"]): row["top1_mean"] for row in found[5:]}[1.0, 5] == pytest.approx(0.3)
    door = ddbench.sensitivity(opened.root)
    assert (door.to_json(), [*door.lines, *map(str, files)]) == (files[1].read_text(), done.stdout.splitlines())
    assert "not tried" not in str(door) and "| m.lambda | 0.1 | 80.0 |" in str(door)
    in_csv = list(csv.DictReader(files[2].open()))
    assert [float(row["top1_mean"]) for row in in_csv] == [row["top1_mean"] for row in found]


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
    assert "best 0.01 (80.0 %); shown to be within 1 point of it: 0.1" in done.stdout
