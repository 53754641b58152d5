"""Fidelity cards: read as data, open where a record's options are, printed, and named by the tables."""

import ast
import dataclasses
from pathlib import Path

import pytest

from ddbench.api.captions import facts_of
from ddbench.errors import BenchError
from ddbench.plugins import registry
from ddbench.plugins.cards import SUFFIX, Card, CardItem, load_card
from ddbench.plugins.files import load_plugins
from tests.support.invoke import invoke
from tests.support.registered import forgotten

ROOT = Path(__file__).parents[2]
FIXED = CardItem("loss", "L2", "L1", status="differs")
OPTIONAL = CardItem("steps", "50", "steps", option="distill.method.steps", value=50)


def config(steps):
    return {"distill": {"method": {"steps": steps}}}


def test_an_item_with_an_option_is_open_where_a_record_has_another_value():
    card = Card("x", items=(OPTIONAL, CardItem("rate", "1", "1")))
    assert card.open_in(config(50)) == []
    assert card.open_in(config(49)) == ["steps"]
    assert card.open_in({}) == ["steps"]


def test_an_item_without_one_is_open_by_its_status():
    assert Card("x", items=(FIXED,)).open_in(config(50)) == ["loss"]
    assert not CardItem("eps", "", "1e-3", status="not stated").open_in({})


@pytest.fixture
def plugin(tmp_path):
    """``bench new method carded``, loaded."""
    assert invoke("new", "method", "carded", "--out", tmp_path).returncode == 0
    with forgotten(["carded"]):
        load_plugins([str(tmp_path / "carded.py")])
        yield tmp_path / f"carded{SUFFIX}"


def entry():
    return registry.entries("method")["carded"]


def test_a_new_plug_in_has_an_empty_card_beside_it(plugin):
    assert load_card(entry()) == Card("carded")


CARD = """\
paper: A Paper (2026)
source: https://example.org/code
items:
  - {item: jitter, source: "0.3 (make.py)", ours: jitter, option: distill.method.jitter, value: 0.3, effect: softer}
  - {item: order, source: by name, ours: by seed, status: differs}
  - {item: mean, source: arithmetic, ours: arithmetic, test: "tests/test_carded.py::test_it_keeps_the_rules"}
"""


def test_info_prints_the_card_with_what_is_open_for_the_options_given(plugin):
    plugin.write_text(CARD)
    done = invoke("info", "--plugin", plugin.parent / "carded.py", "carded")
    assert "3 items, 2 of them not as the authors' code" in done.stdout
    assert "A Paper (2026) (https://example.org/code)" in done.stdout
    assert "Ours: jitter: 0.1. Effect: softer." in " ".join(done.stdout.split())
    done = invoke("info", "--plugin", plugin.parent / "carded.py", "carded[jitter=0.3]")
    assert "3 items, 1 of them not as the authors' code" in done.stdout


def test_tables_mark_a_row_that_differs_and_say_in_what(plugin, tmp_path):
    plugin.write_text(CARD)
    options = ["--plugin", plugin.parent / "carded.py", "--methods", "random,carded", "--ipc", 1, "--seeds", 0]
    done = invoke("run", *options, "--eval-seeds", 0, "--store", tmp_path / "s", "--executor", "inline")
    assert done.returncode == 0, done.stderr
    assert "| random | carded* |" in done.stdout
    assert "* differs from its source (`bench info NAME`): carded in jitter, order." in done.stdout


def test_another_method_of_the_same_name_is_not_marked(plugin):
    from tests.support.records import cell, record

    plugin.write_text(CARD)
    records = [record(cell("carded"), 0.5)]
    assert not facts_of(records).differs["carded"]


def test_judges_are_marked_by_their_own_cards():
    from ddbench.config.values import describe
    from tests.support.records import cell, record

    def judged(network):
        config = {"evaluate": {"network": describe(network), "protocol": describe(protocol)}}
        asked = dataclasses.replace(cell(), arch="resnet18", protocol="minimax-sgd@2")
        return dataclasses.replace(record(asked, 0.5), config=config)

    protocol = registry.entries("protocol")["minimax-sgd@2"].load()
    network = registry.entries("arch")["resnet18"].load()
    place = ("s/test", "minimax-sgd@2")
    assert set(facts_of([judged(network)]).judges[place]) == {"minimax-sgd@2"}
    open_in = facts_of([judged(dataclasses.replace(network, init="torch"))]).judges[place]
    assert open_in["resnet18"] == ["initial weights"]
    assert "reported epoch" in open_in["minimax-sgd@2"]


@pytest.mark.parametrize(("dataset", "marked"), [("tinyimagenet", False), ("digits", True), ("not-here", True)])
def test_what_differs_for_images_of_one_channel_alone_marks_no_other(dataset, marked):
    from ddbench.config.values import describe
    from tests.support.records import cell, record

    network = registry.entries("arch")["convnet4-bn"].load()
    asked = cell(dataset=dataset, arch="convnet4-bn", protocol="cpu-small@1")
    one = dataclasses.replace(record(asked, 0.5), config={"evaluate": {"network": describe(network), "protocol": {}}})
    found = facts_of([one]).judges["s/test", "cpu-small@1"]
    assert found == ({"convnet4-bn": ["images of one channel"]} if marked else {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- 1", "must be a YAML mapping with the keys paper, source and items"),
        ("papr: x", r"unknown key 'papr' in the card .*carded\.card\.yaml\. Did you mean 'paper'"),
        ("items: [{item: a}]", "needs the keys item, source and ours"),
        ("items: [{item: a, source: b, ours: c, staus: same}]", "unknown key 'staus'.* Did you mean 'status'"),
        ("items: [{item: a, source: b, ours: c, status: open}]", r"unknown status 'open' in the card .*, item 'a'\."),
        ("items: [", r"cannot read the card .*, line 2, column 1 \(the end\): "),
    ],
)
def test_a_card_that_is_none_is_one_clear_error(plugin, text, message):
    plugin.write_text(text)
    with pytest.raises(BenchError, match=message):
        load_card(entry())


def built_in():
    kinds = ("method", "arch", "protocol")
    found = [entry for kind in kinds for entry in registry.entries(kind).values()]
    return [one for one in found if one.origin.startswith(registry.DISTRIBUTION)]


@pytest.mark.parametrize("one", built_in(), ids=lambda one: f"{one.kind} {one.name}")
def test_every_built_in_has_a_card_whose_tests_exist(one):
    card = load_card(one)
    assert card is not None, f"{one.kind} {one.name} has no card"
    for item in card.items:
        if item.test:
            path, _, name = item.test.partition("::")
            tree = ast.parse((ROOT / path).read_text())
            assert name in [n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)], item.test
        if item.status == "same" and not item.option:
            assert item.test, f"{item.item}: what is called the same is held by a test"
