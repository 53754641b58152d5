"""The runs behind a table of worth: which rows are drawn from, and how large they are."""

import pytest

import ddbench
from ddbench.api.worth import counting
from ddbench.errors import BenchError


def counted(methods, ipc=(1, 10), factors=(1, 5), **kw):
    return counting(ddbench.study("digits", methods=methods, ipc=list(ipc), **kw).config, factors)


def test_rows_of_the_study_stand_behind_a_guided_set():
    found = counted(["cgs", "rsm_cgs", "d4m_style", "random"])
    names = {name: (one.model, one.prior) for name, one in found.behind.items()}
    assert names == {"cgs": ("dit", "dit"), "rsm_cgs": ("rsm", "dit"), "d4m_style": ("dit", "dit")}
    assert found.plain.config.grid.methods == ("dit", "rsm")
    assert found.plain.config.grid.ipc == (1, 5, 10, 50)


def test_a_model_that_no_row_draws_from_gets_one():
    found = counted(["rsm_cgs[weight=0.02]"])
    assert found.behind["rsm_cgs[weight=0.02]"].model == "rsm_cgs[weight=0.02,guidance=null]"
    assert found.behind["rsm_cgs[weight=0.02]"].prior == "dit"
    assert found.plain.methods["digits", "rsm_cgs[weight=0.02,guidance=null]"].objective.weight == 0.02


def test_plain_sets_may_be_larger_than_a_class_and_others_not():
    assert counted(["cgs"], factors=(1, 100)).plain.config.grid.ipc[-1] == 1000
    with pytest.raises(BenchError, match="cgs makes no more"):
        counted(["cgs"], ipc=(1000,))


@pytest.mark.parametrize(("asked", "judged"), [([0], (0, 1, 2)), ([1, 4], (1, 4, 0)), ([0, 1, 2, 3], (0, 1, 2, 3))])
def test_the_whole_train_split_is_judged_by_three_classifiers_at_least(asked, judged):
    found = counted(["cgs"], eval_seeds=asked)
    assert found.whole.config.grid.eval_seeds == judged
    assert found.plain.config.grid.eval_seeds == tuple(asked)


def test_methods_without_a_generative_model_are_refused():
    with pytest.raises(BenchError, match="no method of this study samples a generative model"):
        counted(["random", "dm"])


def test_plain_sets_and_sets_share_their_stages():
    found = counted(["cgs"])
    (_, sets), (_, plain), _ = found.plans()
    prior = {key for key, stage in sets.stages.items() if stage.kind == "prior"}
    assert prior and prior == {key for key, stage in plain.stages.items() if stage.kind == "prior"}


@pytest.mark.parametrize("factors", [(5,), (1,), (3, 3), (0, 1), (1.5, 2), (True, 2)])
def test_factors_that_give_no_curve_are_refused(factors):
    with pytest.raises(BenchError, match="Example: --factors 1,2,5,10"):
        counted(["cgs"], factors=factors)


def test_a_plain_row_stands_behind_itself_under_its_own_name():
    found = counted(["rsm", "rsm[guidance=null]"]).behind
    assert {name: one.model for name, one in found.items()} == {name: name for name in found}


def test_the_door_names_its_own_parameter():
    with pytest.raises(BenchError, match=r"^factors=\[5\]: .* Example: factors=\[1, 2, 5, 10\]$"):
        ddbench.worth(ddbench.study(methods=["cgs"], ipc=[1]), factors=[5])
