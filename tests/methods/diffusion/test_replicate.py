"""``replicate``: what is made anew for each distilled set, and what captions say of it."""

import pytest

import ddbench
from ddbench.errors import BenchError
from ddbench.plan.build import make_plan
from tests.conftest import TINY_STUDY


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY_STUDY)
    return lambda replicate: ddbench.study(
        path, methods=["random", "dit", "rsm"], set={"methods.diffusion.replicate": replicate}
    )


@pytest.mark.parametrize(("replicate", "priors", "fits"), [("none", 1, 1), ("fit", 1, 2), ("prior", 2, 2)])
def test_it_says_how_many_priors_and_fine_tunings_two_seeds_make(study, replicate, priors, fits):
    counts = make_plan(study(replicate)).counts()
    assert (counts["prior"], counts["fit"]) == (priors, fits)


def test_the_first_set_is_what_it_was_without(study):
    """Seed 0 of a replicated study shares its prior, fit and set with one that is not replicated."""
    plans = [make_plan(study(replicate)).stages for replicate in ("none", "prior")]
    first = [{k for k, s in stages.items() if s.kind in ("prior", "fit")} for stages in plans]
    assert first[0] < first[1]


@pytest.mark.slow
def test_captions_say_what_was_made_once(study, tmp_path):
    results = ddbench.run(study("none"), tmp_path / "s", executor="inline")
    assert "Made once for all sets, so not in ±: the prior of dit; the prior and the fine-tuning of rsm." in str(
        results.table()
    )
    again = ddbench.run(study("fit"), tmp_path / "s", executor="inline")
    assert "Made once for all sets, so not in ±: the prior of dit, rsm." in str(again.table())


def test_a_prior_that_is_loaded_cannot_be_made_anew():
    options = {"methods.dit.prior": {"type": "PretrainedDiT", "source": "x"}, "methods.dit.replicate": "prior"}
    with pytest.raises(BenchError, match=r"replicate=prior trains a prior for each set, and PretrainedDiT is loaded"):
        ddbench.study(methods=["dit"], set=options)
