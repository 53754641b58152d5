"""The table of shift: what is averaged, what is refused, and what a reader is told."""

import json

import pytest

from ddbench.results.shift import COLUMNS, PLAIN, Measurement, as_csv, as_json, markdown, shift_blocks


def measured(method="random", seed=0, ipc=10, dataset="digits", variants=None, note="", **changes):
    measures = dict.fromkeys([*(c.key for c in COLUMNS), *PLAIN], 0.25)
    measures |= {"neighbours": 5, "epsilon": 1e-3, "latent_space": "pixels", **changes}
    return Measurement(dataset, "s", ipc, method, seed, "pixels", None if note else measures, note, variants or {})


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
    assert "| – |" in markdown(shift_blocks([measured(recall=None)]))


def test_a_method_with_a_set_missing_is_not_averaged():
    found = row(measured(), measured(seed=1, note="not made"))
    assert found.values == {} and found.note == "1 missing of 2: not made"
    assert "random: 1 missing of 2: not made." in markdown(
        shift_blocks([measured(), measured(seed=1, note="not made")])
    )


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
    blocks = shift_blocks([measured(copies=1.0, close=0.125, coverage=0.5)])
    assert "| 0.50 |" in markdown(blocks) and "| 12 | 100 |" in markdown(blocks)
    (found,) = json.loads(as_json(blocks))
    assert (found["copies"], found["close"], found["copies_sd"]) == (1, 0.125, None)
    assert as_csv(blocks).splitlines()[0].startswith("dataset,split,ipc,space,method,distilled_sets")


def test_there_is_no_negative_zero():
    assert "-0.00" not in markdown(shift_blocks([measured(dpp_loss=-0.001)]))


def test_the_caption_defines_every_column_and_warns_of_mixed_latents():
    (block,) = shift_blocks([measured()])
    assert all(f"{column.header}: " in block.caption() for column in COLUMNS)
    assert "5-nearest-neighbour" in block.caption() and "0.001 I" in block.caption()
    assert "not the same" not in block.caption()
    (mixed,) = shift_blocks([measured(), measured("dit", latent_space="0123abcd")])
    assert "0123abcd" in mixed.caption() and "not the same for all rows" in mixed.caption()


def test_names_are_no_markup():
    text = markdown(shift_blocks([measured("<b>|x")]))
    assert "| &lt;b&gt;\\|x |" in text
