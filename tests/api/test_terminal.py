"""Tables on terminals of any width keep every number whole."""

import io
import re

import pytest

from ddbench.api.choices import LAYOUTS
from ddbench.api.stores import Stores
from ddbench.api.tables import make_tables
from ddbench.api.terminal import PROSE
from ddbench.results.tables import Block, Column, Table, blocks
from ddbench.results.tables.model import items
from tests.support.records import cell, hexkey, record, sampled, stored
from tests.support.terminal import shown

METHODS = ("random", "herding", "kcenter", "dm", "dit", "dit_ft", "minimax", "rsm", "cgs", "rsm_cgs", "mgd3", "igd")


@pytest.fixture
def block():
    records = [record(cell(m, seed=s), 0.5 + 0.01 * i) for i, m in enumerate(METHODS) for s in range(3)]
    (made,) = blocks({place: one.estimate for place, one in sampled(records).items()}, "last")
    return made


def wide(datasets=("digits", "digits")):
    columns = (Column("dataset", "l"), Column("method", "l"), Column("seconds for each image"), Column("memory (MiB)"))
    rows = [items(name, f"method {i}", "12.345 ± 0.678", "1024") for i, name in enumerate(datasets)]
    return Table(columns, tuple(rows), "What it took.", stub=2)


def test_methods_are_columns_where_they_fit(block, monkeypatch):
    text = shown([block], 250, monkeypatch)
    (header,) = [line for line in text.splitlines() if "herding" in line]
    assert all(name in header for name in METHODS)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_methods_become_rows_where_they_do_not(block, width, monkeypatch):
    lines = shown([block], width, monkeypatch).splitlines()
    for i, name in enumerate(METHODS):
        (row,) = [line for line in lines if f"│ {name} " in line]
        assert f"{50 + i}.0 ± 0.0" in row
    assert max(map(len, lines)) <= width


def test_a_narrow_terminal_says_once_what_all_rows_share(monkeypatch):
    text = shown([wide()], 48, monkeypatch)
    assert text.startswith("dataset digits\n")
    assert text.count("digits") == 1
    assert text.count("12.345 ± 0.678") == 2
    assert "What it took." in text


def test_what_differs_stays_in_the_table(monkeypatch):
    text = shown([wide(("digits", "cifar10"))], 60, monkeypatch)
    assert "dataset digits" not in text
    assert text.count("12.345 ± 0.678") == 2


def test_a_pipe_has_lines_as_long_as_they_need(block, monkeypatch):
    text = shown([block], 40, monkeypatch, io.StringIO())
    (header,) = [line for line in text.splitlines() if "herding" in line]
    assert all(name in header for name in METHODS)


def heads(width, monkeypatch):
    """The lines of the headings of a table on a terminal, as words."""
    columns = (Column("method", "l"), Column("95 % interval"), Column("sd of the rest"), Column("s / image"))
    rows = tuple(items(name, "67.5 to 72.5", "0.00", "0.8") for name in ("dm", "random"))
    lines = shown([Table(columns, rows, "What it took.", stub=1)], width, monkeypatch).splitlines()
    before = lines[: next(n for n, line in enumerate(lines) if "67.5" in line)]
    return [words for line in before if (words := re.findall(r"[\w/%]+", line))]


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (80, ["method 95 % interval sd of the rest s / image"]),
        (55, ["method 95 % interval sd of the rest s / image"]),
        (48, ["95 % sd of s /", "method interval the rest image"]),
        (38, ["sd", "of", "95 % the s /", "method interval rest image"]),
    ],
)
def test_heads_take_as_few_lines_as_the_width_asks_and_keep_percentages_whole(width, lines, monkeypatch):
    assert [" ".join(words) for words in heads(width, monkeypatch)] == lines


JUDGES = {"minimax-sgd@2": "ddbench:HardLabels", "igd-adamw-soft@2": "ddbench:GivenSoftLabels"}
"""hard labels and soft ones, with their classes"""
ADDRESSES = {name: f"ddbench.evaluators.protocols:{name.partition(':')[2]}" for name in JUDGES.values()}
LONG = ("rsm_cgs[guidance.eta_dm=50]", *METHODS)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A store of two protocols, two networks, two IPC, two sets and two classifiers of many methods."""
    cells = [
        cell(m, seed=s, eval_seed=e, ipc=i, dataset="imagenette", arch=a, protocol=p)
        for p in JUDGES
        for a in ("convnet3-w32", "resnetap10")
        for i in (1, 10)
        for m in LONG
        for s in (0, 1)
        for e in (0, 1)
    ]
    accuracy = {one: 0.4 + 0.01 * LONG.index(one.method) + 0.02 * one.seed + 0.003 * one.eval_seed for one in cells}
    records = [
        record(one, a, key=hexkey(n), protocol={"type": JUDGES[one.protocol]}, run={"addresses": ADDRESSES})
        for n, (one, a) in enumerate(accuracy.items())
    ]
    return Stores([stored(tmp_path_factory.mktemp("s"), records).root])


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_fits_a_terminal_without_breaking_a_head_or_a_number(layout, width, study, monkeypatch):
    tables = make_tables(layout, study, study.wanted, study.records(study.wanted)).tables
    lines = shown(tables, width, monkeypatch).splitlines()
    assert max(map(len, lines)) <= width
    text = " ".join(lines)
    words = set(re.split(r"[│\s]+", text))
    for table in (one.table() for one in tables if not isinstance(one, Block)):  # a block turns: its methods are rows
        for column in table.columns:
            assert set(column.title.split()) <= words, column.title
        for item in (item for row in table.rows for item in row):
            assert item.text in text if len(item.text) <= PROSE else set(item.text.split()) <= words, item.text
