"""The picture of a search."""

import re

import pytest
from PIL import Image

from ddbench.results.sensitivity import Parameter, Setting, draw
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
    assert "bars: ± one sample standard deviation" in said


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
