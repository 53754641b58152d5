"""A search without its scheduler: trials, the validation part, the record and what is made of it."""

import dataclasses
import json
from pathlib import Path

import pytest

from ddbench.cli.study_options import configuration_of
from ddbench.config.schema import load_config
from ddbench.data.digits import Digits
from ddbench.errors import BenchError
from ddbench.execute.policy import Policy
from ddbench.store.opening import open_store, store_at
from ddbench.tune import record
from ddbench.tune.in_order import InOrder
from ddbench.tune.ranges import parse_range
from ddbench.tune.search import Request, check_validation, make_trials, run_search
from ddbench.tune.space import default_search
from ddbench.tune.trial import Ending
from ddbench.types import Evaluation, Record
from tests.support.invoke import invoke

LR = "methods.dm.lr"


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "s", create=True)


@pytest.fixture
def quick(monkeypatch):
    """Judging takes no training: the accuracy is the mean brightness of what was distilled."""
    from ddbench.evaluators.protocols import cpu_small_1

    def evaluate(self, distilled, test, network, ctx):
        brightness = round(float(distilled.images.float().mean()) / 255, 6)
        right = round(brightness * len(test))
        correct = (True,) * right + (False,) * (len(test) - right)
        return Evaluation(curve=((1, right / len(test)),), correct=correct)

    monkeypatch.setattr(type(cpu_small_1), "evaluate", evaluate)


def request(study, space=None, method="dm", assignments=(), **options):
    changes = {"grid.methods": [method], "split": "validation"}
    ranges = {key: parse_range(text, key) for key, text in (space or {LR: "grid(0.5, 2.0)"}).items()}
    defaults = {"search": default_search(ranges), "draws": 3, "seed": 0, "scheduler": "fifo"}
    return Request(load_config(str(study), changes, assignments), ranges, **{**defaults, **options})


IN_ORDER = InOrder(Policy())


def search(asked, store, runner=IN_ORDER):
    return run_search(asked, make_trials(asked), store, runner, lambda *_: None)


def pretended(accuracy, endings=None):
    """A runner that judges nothing: ``accuracy(trial, cell)`` goes on record."""

    def runner(trials, store, told):
        for trial in trials:
            for cell, key in trial.plan.cells.items():
                curve = ((1, accuracy(trial, cell)),)
                store_at(store).write_record(Record(key=key, cell=cell, outcome="ok", curve=curve))
        return endings or [Ending(len(trial.rounds)) for trial in trials]

    return runner


def test_a_search_never_looks_at_the_test_part(tiny_study, store, monkeypatch, quick):
    load = Digits.load

    def guarded(self, split, cache=None):
        if split == "test":
            raise AssertionError("the test part was read")
        return load(self, split, cache)

    monkeypatch.setattr(Digits, "load", guarded)
    asked = request(tiny_study)
    check_validation(asked.config, store)
    found = search(asked, store)
    assert [row.outcome for row in found.trials] == ["ok"] * 3
    assert {r.cell.split for r in store.records()} == {"stratified-60-20-20/validation"}
    assert {r.n_images for r in store.records()} == {len(load(Digits(), "validation"))}


def test_the_same_search_makes_the_same_choice_and_does_nothing_twice(tiny_study, store, tmp_path, quick):
    first = search(request(tiny_study), store)
    records = {path.name for path in (store.root / "records").iterdir()}
    again = search(request(tiny_study), store)
    elsewhere = search(request(tiny_study), open_store(tmp_path / "t", create=True))
    assert first.content() == again.content() == elsewhere.content()
    assert first.id == elsewhere.id
    assert {path.name for path in (store.root / "records").iterdir()} == records


def test_the_studys_own_values_are_the_first_trial_and_are_not_tried_twice(tiny_study):
    trials = make_trials(request(tiny_study, {LR: "grid(0.5, 1, 2)"}))
    assert [(t.values[LR], t.varied) for t in trials] == [(1.0, ()), (0.5, (LR,)), (2, (LR,))]


def test_a_short_key_has_the_studys_own_value_too(tiny_study):
    key = "methods.rsm.weight"
    trials = make_trials(request(tiny_study, {key: "grid(0.002, 0.006)"}, method="rsm"))
    full = make_trials(request(tiny_study, {"methods.rsm.objective.weight": "grid(0.1)"}, method="rsm"))[0].values
    assert [trials[0].values[key]] == list(full.values()) != [None]


def test_one_at_a_time_keeps_the_others_at_the_studys_values(tiny_study):
    space = {LR: "grid(0.5, 2)", "methods.dm.momentum": "grid(0, 0.9)"}
    trials = make_trials(request(tiny_study, space, search="one-at-a-time"))
    assert [tuple(t.values.values()) for t in trials] == [(1.0, 0.5), (0.5, 0.5), (2, 0.5), (1.0, 0), (1.0, 0.9)]


def test_rounds_are_pairs_of_seeds_with_a_new_distilled_set_as_long_as_there_is_one(tiny_study):
    asked = request(tiny_study, assignments=["grid.eval_seeds=[0, 1]", "grid.ipc=[1, 2]"])
    rounds = make_trials(asked)[0].rounds
    assert [{(c.seed, c.eval_seed) for c in cells} for cells in rounds] == [{(0, 0)}, {(1, 0)}, {(0, 1)}, {(1, 1)}]
    assert all({c.ipc for c in cells} == {1, 2} for cells in rounds)


def test_trials_share_the_preparations_that_they_have_in_common(tiny_study, store):
    from ddbench.tune.trial import shared

    trials = make_trials(request(tiny_study, {"methods.rsm.objective.weight": "grid(0.1, 0.2)"}, method="rsm"))
    _, missing = shared(trials, store)
    assert [stage.kind for stage in missing.values()] == ["prior"]
    assert sum(stage.kind == "fit" for trial in trials for stage in trial.plan.stages.values()) == 3


@pytest.mark.parametrize(
    ("space", "method", "assignments", "message"),
    [
        ({"methods.dm.lrr": "grid(1)"}, "dm", [], "Did you mean 'lr'?"),
        ({"methods.rsm.objective.wieght": "grid(1)"}, "rsm", [], "Did you mean 'weight'?"),
        ({"methods.rsm.objective.weight": "grid(1)"}, "rsm_cgs", [], "Did you mean methods.rsm_cgs.objective.weight?"),
        ({"method.dm.lr": "grid(1)"}, "dm", [], "did you mean methods.dm.lr?"),
        ({"grid.ipc": "grid(1)"}, "dm", [], "is an option of a method"),
        ({LR: "grid(1, -1)"}, "dm", [], "--param 'methods.dm.lr=grid(1, -1)': bad value -1 for methods.dm.lr"),
        ({LR: "uniform(-1, 1)"}, "dm", [], "bad value -1 for methods.dm.lr"),
        ({"methods.dm.iterations": "uniform(1.5, 9)"}, "dm", [], "bad value 1.5 for methods.dm.iterations"),
        ({LR: "grid(1, 2)"}, "dm", ["split=test"], "never on test"),
    ],
)
def test_a_slip_is_named_before_anything_runs(tiny_study, space, method, assignments, message):
    with pytest.raises(BenchError) as error:
        make_trials(request(tiny_study, space, method, assignments))
    assert message in str(error.value)


def test_a_family_reaches_its_methods(tiny_study):
    trials = make_trials(request(tiny_study, {"methods.diffusion.sampler.steps": "grid(2, 4)"}, method="rsm"))
    assert [t.values["methods.diffusion.sampler.steps"] for t in trials] == [4, 2]


def test_a_dataset_without_a_validation_part_says_how_to_set_one_aside(tiny_study, store, monkeypatch):
    def none(self, split, cache=None):
        raise BenchError("digits has no validation part. Set one aside with --set data.digits.holdout=10")

    monkeypatch.setattr(Digits, "load", none)
    with pytest.raises(BenchError, match=r"Set one aside with --set data.digits.holdout=10"):
        check_validation(request(tiny_study).config, store)

    monkeypatch.setattr(Digits, "load", lambda self, split, cache=None: {}[split])
    with pytest.raises(BenchError, match="digits gives no validation part: KeyError"):
        check_validation(request(tiny_study).config, store)


def test_a_failing_trial_is_a_row_with_its_reason(tiny_study, store, quick):
    asked = request(tiny_study, {"methods.dm.augmentations": "grid(rotat, color)"})
    found = search(asked, store)
    rows = {row.values["methods.dm.augmentations"]: row for row in found.trials}
    assert rows["rotat"].outcome == "failed"
    assert "unknown augmentation 'rotat'" in rows["rotat"].reason
    assert rows["rotat"].top1 is None
    assert found.ranked()[-1] == rows["rotat"]
    assert found.chosen is not None


def test_when_what_all_rest_on_fails_every_trial_says_so(tiny_study, store):
    asked = request(tiny_study)
    found = run_search(asked, make_trials(asked), store, IN_ORDER, lambda *_: None, "prior stage x: no")
    assert {row.reason for row in found.trials} == {"prior stage x: no"}
    assert found.chosen is None
    with pytest.raises(BenchError, match="chose nothing"):
        record.values_and_cost([found])


def test_the_mean_is_over_cells_and_the_spread_over_distilled_sets(tiny_study, store):
    asked = request(tiny_study, assignments=["grid.eval_seeds=[0, 1]"])
    found = search(asked, store, pretended(lambda t, c: 0.1 * t.index + 0.2 * c.seed + 0.02 * c.eval_seed))
    best = found.chosen
    assert best.trial == 2
    assert best.top1 == pytest.approx(0.2 + 0.1 + 0.01)
    assert best.spread == pytest.approx(0.2 / 2**0.5)
    assert found.cells == 3 * 4


def test_a_trial_that_was_stopped_does_not_win_by_the_little_that_it_was_judged_on(tiny_study, store):
    endings = [Ending(2), Ending(1), Ending(2)]
    found = search(request(tiny_study), store, pretended(lambda t, c: 0.9 if t.index == 1 else 0.1 * t.index, endings))
    assert [(row.trial, row.outcome) for row in found.ranked()] == [(2, "ok"), (0, "ok"), (1, "stopped")]
    assert found.trials[1].reason == "stopped by the scheduler after 1 of 2 rounds"
    assert len(found.trials[1].cells) == 1


def test_equal_trials_are_decided_by_their_order(tiny_study, store):
    assert search(request(tiny_study), store, pretended(lambda t, c: 0.5)).chosen.trial == 0


@pytest.fixture
def kept(tiny_study, store):
    found = search(request(tiny_study), store, pretended(lambda t, c: 0.1 * t.index))
    return found, Path(record.write(store, found))


def test_a_record_is_kept_once_and_read_as_it_was_written(kept, store):
    found, path = kept
    assert record.find(store.root, found.id) == record.find(store.root, str(path)) == found
    assert record.find(store.root, found.id[:6]) == record.latest(store) == found
    before = path.read_bytes()
    later = dataclasses.replace(found, run={**found.run, "finished": "2999"})
    assert record.write(store, later) == str(path)
    assert path.read_bytes() == before
    shown = json.loads(before)
    assert shown["split"] == "validation"
    assert shown["chosen"]["values"] == {LR: 2.0}
    assert shown["trials"][0]["cells"][0]["cell"]["split"].endswith("/validation")


def test_a_record_that_was_edited_is_refused(kept, store):
    found, path = kept
    path.write_text(path.read_text().replace('"draws": 3', '"draws": 2'))
    with pytest.raises(BenchError, match="its id is not that of its content"):
        record.find(store.root, found.id)
    with pytest.raises(BenchError, match="Did you mean"):
        record.find(store.root, found.id[:-1] + "?")


def options(**given):
    lists = ("datasets", "methods", "ipc", "archs", "seeds", "eval_seeds", "assignments", "plugins", "tuned")
    empty = dict.fromkeys(lists, ())
    return {**empty, "protocol": None, **given}


def test_a_run_takes_what_was_chosen_and_keeps_what_it_cost(kept, tiny_study, store):
    found, _ = kept
    config = configuration_of(store.root, **options(config=str(tiny_study), tuned=(found.id,)))
    assert config.methods["dm"]["lr"] == 2.0
    (cost,) = config.tuned
    assert (cost.tune, cost.method, cost.trials, cost.cells) == (found.id, "dm", 3, 6)
    assert config.split == "test"
    nearer = options(config=str(tiny_study), tuned=(found.id,), assignments=("methods.dm.lr=7",))
    assert configuration_of(store.root, **nearer).methods["dm"]["lr"] == 7


def test_two_searches_that_disagree_are_refused(kept, tiny_study, store):
    other = search(request(tiny_study, {LR: "grid(5, 6)"}), store, pretended(lambda t, c: 0.1 * t.index))
    with pytest.raises(BenchError, match=r"chose different values for methods.dm.lr: 2.0 and 6"):
        record.values_and_cost([kept[0], other])


def test_a_run_with_tuned_values_has_the_search_on_record(kept, tiny_study, store, quick):
    found, _ = kept
    arguments = ["run", "--config", tiny_study, "--store", store.root, "--executor", "inline", "--methods", "dm"]
    done = invoke(*arguments, "--seeds", "0", "--tuned", found.id)
    assert done.returncode == 0, done.stderr
    assert store.runs()[-1]["config"]["tuned"][0]["tune"] == found.id
    judged = [r for r in store.records() if r.cell.split.endswith("/test")]
    assert [r.config["distill"]["method"]["lr"] for r in judged] == [2.0]
    refused = invoke(*arguments, "--tuned", "nothing")
    assert refused.returncode == 2
    assert "unknown search 'nothing'" in refused.stderr


def test_short_names_are_the_shortest_that_tell_keys_apart():
    names = record.short_names(["methods.a.guidance.eta", "methods.a.sampler.eta", "methods.a.lr"])
    assert list(names.values()) == ["guidance.eta", "sampler.eta", "lr"]
