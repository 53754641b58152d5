"""Names with options: ``rsm[weight=0.002]``."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbench.cli.options import names
from ddbench.config import variants
from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.errors import BenchError
from ddbench.plan.build import make_plan

KEYS = st.from_regex(r"[a-z_][a-z0-9_]{0,6}", fullmatch=True)
NUMBERS = st.one_of(st.integers(-9, 9), st.booleans(), st.lists(st.integers(0, 9), max_size=3))


def test_a_name_without_brackets_changes_nothing():
    assert variants.parse("igd-adamw@1") == variants.Selected("igd-adamw@1", {})


def test_dotted_keys_nest_and_values_are_yaml():
    found = variants.parse("rsm[objective.weight=2e-3, finetune.ema=true,sizes=[1, 2]]")
    assert found.name == "rsm"
    assert found.changes == {"objective": {"weight": "2e-3"}, "finetune": {"ema": True}, "sizes": [1, 2]}


@given(st.dictionaries(KEYS, NUMBERS, min_size=1, max_size=4))
def test_what_is_written_is_read(changes):
    text = f"m[{','.join(f'{key}={value}'.lower() for key, value in changes.items())}]"
    assert variants.parse(text) == variants.Selected("m", changes)
    assert names([f"a,{text},b"]) == ["a", variants.canonical(text), "b"]


@given(st.dictionaries(KEYS, st.integers(0, 9), min_size=1, max_size=3))
def test_blanks_do_not_make_another_name(changes):
    loose = f"m[{' , '.join(f'{key} = {value}' for key, value in changes.items())}]"
    tight = f"m[{','.join(f'{key}={value}' for key, value in changes.items())}]"
    assert variants.canonical(loose) == tight
    assert variants.parse(loose) == variants.parse(tight)


def test_a_grid_is_a_name_for_each_combination():
    assert variants.expand("m") == ["m"]
    assert variants.expand("m[a=1]") == ["m[a=1]"]
    found = variants.expand("m[a = grid(1, 2), b=[x, y], c.d=grid([1,2], off)]")
    assert found == [f"m[a={a},b=[x, y],c.d={d}]" for a in (1, 2) for d in ("[1,2]", "off")]


@given(st.dictionaries(KEYS, st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True), min_size=1, max_size=3))
def test_grids_multiply(grids):
    text = f"m[{','.join(f'{key}=grid({str(values)[1:-1]})' for key, values in grids.items())}]"
    found = [variants.parse(name).changes for name in variants.expand(text)]
    assert found == [dict(zip(grids, values, strict=True)) for values in product(*grids.values())]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rsm[weight=1", "NAME"),
        ("[weight=1]", "NAME"),
        ("rsm[]", "hold nothing"),
        ("rsm[weight]", "is not KEY=VALUE"),
        ("rsm[weight=1 ", "NAME"),
        ("rsm[a=1,a=2]", "given twice"),
        ("rsm[a=1,a.b=2]", "value and fields"),
    ],
)
def test_a_slip_is_explained(text, message):
    with pytest.raises(BenchError, match=message):
        variants.parse(text)


def plan(*methods, protocol="cpu-small@1", archs=("convnet3-w32",), assignments=()):
    changes = {"grid.methods": list(methods), "grid.seeds": [0], "grid.eval_seeds": [0], "grid.ipc": [1]}
    changes |= {"grid.protocol": protocol, "grid.archs": list(archs)}
    return make_plan(resolve(load_config("digits", changes, list(assignments))))


def described(plan, method):
    (key,) = [key for cell, key in plan.cells.items() if cell.method == method]
    return next(s.task["preparation"] for s in plan.ancestors(key) if s.kind == "fit")


def test_a_variant_is_a_method_of_its_own_beside_the_plain_one():
    found = plan("rsm", "rsm[weight=0.25]")
    assert described(found, "rsm[weight=0.25]")["objective"]["weight"] == 0.25
    assert described(found, "rsm")["objective"]["weight"] != 0.25
    assert found.counts()["fit"] == 2
    assert found.counts()["prior"] == 1


def test_what_a_configuration_says_of_a_method_holds_for_its_variants():
    found = plan("rsm[weight=0.25]", assignments=["methods.rsm.finetune.steps=7"])
    assert described(found, "rsm[weight=0.25]")["training"]["steps"] == 7


def test_a_variant_of_a_protocol_is_another_protocol():
    plain, changed = plan("random"), plan("random", protocol="cpu-small@1[lr=0.01]")
    assert {cell.protocol for cell in changed.cells} == {"cpu-small@1[lr=0.01]"}
    assert not set(plain.cells.values()) & set(changed.cells.values())


def test_a_grid_makes_rows_of_methods_and_of_archs_from_the_command_line_and_from_files():
    assert names(["rsm[weight=grid(0.1,0.2)],dit"]) == ["rsm[weight=grid(0.1,0.2)]", "dit"]
    found = plan("rsm[weight=grid(0.1,0.2)]", "dit", archs=("convnet3-w32[width=grid(8,16)]",))
    assert {cell.method for cell in found.cells} == {"rsm[weight=0.1]", "rsm[weight=0.2]", "dit"}
    assert {cell.arch for cell in found.cells} == {"convnet3-w32[width=8]", "convnet3-w32[width=16]"}
    assert found.counts()["fit"] == 2


def test_an_empty_grid_is_refused():
    with pytest.raises(BenchError, match="the grid of 'weight' is empty"):
        plan("rsm[weight=grid()]")


def test_a_short_name_means_the_one_field_of_that_name():
    short = plan("rsm", assignments=["methods.rsm.weight=0.25"])
    full = plan("rsm", assignments=["methods.rsm.objective.weight=0.25"])
    assert list(short.stages) == list(full.stages)


def test_an_unknown_field_of_a_variant_is_named_with_the_nearest():
    with pytest.raises(BenchError, match="objective"):
        plan("rsm[objectve=1]")


def test_a_short_name_of_several_fields_is_refused_with_the_places():
    with pytest.raises(BenchError, match=r"may mean .*prior\.training\.steps"):
        plan("rsm", assignments=["methods.rsm.steps=3"])
