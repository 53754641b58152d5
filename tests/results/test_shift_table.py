"""The table of shift: what is averaged, what is refused, and what a reader is told."""

import json

import pytest

from ddbench.results.shift import COLUMNS, PLAIN, Measurement, shift_blocks
from ddbench.results.tables import render
from ddbench.results.tables.shift import meaning, shift_caption, shift_table


def measured(method="random", seed=0, ipc=10, dataset="digits", variants=None, note="", **changes):
    measures = dict.fromkeys([*(c.key for c in COLUMNS), *PLAIN], 0.25)
    measures |= {"neighbours": 5, "epsilon": 1e-3, "latent_space": "pixels", **changes}
    return Measurement(dataset, "s", ipc, method, seed, "pixels", None if note else measures, note, variants or {})


def tables(*measurements):
    return [shift_table(block) for block in shift_blocks(measurements)]


def row(*measurements):
    (block,) = shift_blocks(measurements)
    (found,) = block.rows
    return found


def test_the_mean_and_sample_deviation_are_over_the_sets():
    found = row(measured(vendi=2.0), measured(seed=1, vendi=4.0))
    assert found.values["vendi"] == (3, pytest.approx(2**0.5)) and found.sets == 2
    assert row(measured(vendi=2.0)).values["vendi"] == (2, None)


def test_a_measure_that_some_set_lacks_has_no_mean():
    assert row(measured(recall=None), measured(seed=1)).values["recall"] == (None, None)
    assert "| – |" in render.markdown(tables(measured(recall=None), measured("dm")))


def test_a_method_with_a_set_missing_is_not_averaged():
    found = row(measured(), measured(seed=1, note="not made"))
    assert found.values == {} and found.note == "1 missing of 2: not made"
    (table,) = tables(measured(), measured(seed=1, note="not made"))
    assert table.caption.endswith("random: 1 missing of 2: not made.")


def test_sets_of_several_configurations_are_not_averaged():
    found = row(measured(variants={"a p": "x"}), measured(seed=1, variants={"a p": "y"}))
    assert found.values == {} and "several configurations" in found.note
    assert row(measured(variants={"a p": "x"}), measured(seed=1, variants={"b p": "y"})).values


def test_there_is_a_block_for_each_dataset_and_ipc_in_order():
    found = shift_blocks([measured(ipc=50), measured(ipc=1), measured(dataset="other"), measured("dm", ipc=1)])
    assert [(b.dataset, b.ipc, [r.method for r in b.rows]) for b in found] == [
        ("digits", 1, ["random", "dm"]),
        ("digits", 50, ["random"]),
        ("other", 10, ["random"]),
    ]


def test_shares_are_fractions_but_percentages_where_the_header_says_so():
    shown = tables(measured(copies=1.0, close=0.125, coverage=0.5))
    assert "| 0.50 |" in render.markdown(shown) and "| 12 | 100 |" in render.markdown(shown)
    (found,) = json.loads(render.as_json(shown))
    assert (found["copies"], found["close"], found["copies_sd"]) == (1, 0.125, None)


def test_there_is_no_negative_zero():
    assert "-0.00" not in render.markdown(tables(measured(dpp_loss=-0.001)))


def test_the_caption_defines_every_column_and_warns_of_mixed_latents():
    (block,) = shift_blocks([measured()])
    assert all(f"{column.header}: " in meaning(block) for column in COLUMNS)
    assert "5-nearest-neighbour" in meaning(block) and "0.001 I" in meaning(block)
    assert "not the same" not in meaning(block)
    (mixed,) = shift_blocks([measured(), measured("dit", latent_space="0123abcd")])
    assert "0123abcd" in shift_caption(mixed) and "not the same for all rows" in shift_caption(mixed)


def test_names_are_no_markup():
    text = render.markdown(tables(measured("<b>|x")))
    assert "| &lt;b&gt;\\|x |" in text


NAMES = [*(c.key for c in COLUMNS), *PLAIN]


def test_the_data_have_every_measure_whatever_has_a_column():
    """The whole text, so that what programs read stays as it is."""
    shown = tables(measured(ipc=1, recall=None), measured(ipc=1, seed=1, recall=None))
    values = {key: (None if key == "recall" else 0.25) for key in NAMES}
    spreads = {f"{key}_sd": None if key == "recall" else 0.0 for key in NAMES}
    both = {name: value for key in NAMES for name, value in ((key, values[key]), (f"{key}_sd", spreads[f"{key}_sd"]))}
    place = {"dataset": "digits", "split": "s", "ipc": 1, "space": "pixels", "method": "random", "distilled_sets": 2}
    expected = {**place, "latent_space": "pixels", **both, "note": ""}
    assert render.as_json(shown) == json.dumps([expected], indent=1) + "\n"
    texts = ["" if value is None else str(value) for value in expected.values()]
    assert render.as_csv(shown) == ",".join(expected) + "\n" + ",".join(texts) + "\n"


def test_markdown_has_the_measures_that_say_something():
    shown = render.markdown(tables(measured(recall=None, judged=None, vendi=2.0), measured("dm", recall=None)))
    head, rule, *_ = shown.splitlines()
    titles = [c.header for c in COLUMNS if c.key not in ("recall",)]
    assert head == "| method | " + " | ".join(titles) + " |" and rule == "|---|" + "--:|" * len(titles)
    assert "recall: " not in shown


def test_what_one_image_a_class_determines_has_no_column():
    (one,), (ten,) = tables(measured(ipc=1)), tables(measured(ipc=10))
    gone = {c.title for c in ten.columns} - {c.title for c in one.columns}
    assert gone == {"spread", "cov. dist.", "L_dpp", "Vendi"}
    assert "Vendi: left out, the same for every set of one image a class" in one.caption
    assert "left out" not in ten.caption


def test_a_column_that_is_nowhere_defined_is_a_number_in_parquet():
    import io

    import pyarrow.parquet as pq

    found = pq.read_table(io.BytesIO(render.parquet(tables(measured(recall=None, note="not made")))))
    kinds = {field.name: str(field.type) for field in found.schema}
    assert kinds["recall"] == kinds["vendi"] == "double" and kinds["space"] == kinds["note"] == "string"


@pytest.mark.parametrize("width", [80, 120, 200])
def test_a_terminal_of_any_width_keeps_heads_and_numbers_whole(width, monkeypatch):
    import re

    from tests.support.terminal import shown

    made = tables(*(measured(method, seed=s, vendi=9.0 + s) for method in ("random", "rsm_cgs") for s in (0, 1)))
    lines = shown(made, width, monkeypatch).splitlines()
    assert max(map(len, lines)) <= width
    words = set(re.split(r"[│\s]+", " ".join(lines)))
    for column in made[0].columns:
        assert set(column.title.split()) <= words, column.title
    assert {item.text for row in made[0].rows for item in row} <= {*re.findall(r"\S+(?: ± \S+)?", " ".join(lines))}
