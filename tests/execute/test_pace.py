"""The time left, by what ended in this run, by the progress of what is under way, and by earlier runs."""

import pytest

from ddbench.execute import pace as module
from ddbench.execute.pace import Pace, minutes
from ddbench.plan.graph import Stage
from ddbench.stages.run import StageResult


@pytest.fixture
def clock(monkeypatch):
    """The monotonic clock, as a list with one number."""
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def stage(key, kind="distill", ipc=1):
    task = {"stage": kind, "dataset": {"name": "d"}, "ipc": ipc, "threads": 1, "device": "cpu"}
    return Stage(kind, key, task, (), f"d/{key}")


def took(seconds):
    return StageResult("ok", seconds=seconds)


def begun(*stages, how_far=lambda key: None, **kw):
    pace = Pace(how_far, **kw)
    pace.begin(list(stages))
    return pace


def test_nothing_is_known_before_anything_was_measured(clock):
    pace = begun(stage("a"), stage("b"))
    pace.start(stage("a"))
    assert pace.remaining() == "unknown"


def test_stages_of_one_sort_take_what_those_that_ended_took(clock):
    stages = [stage("a"), stage("b"), stage("c"), stage("d", ipc=50)]
    pace = begun(*stages)
    pace.start(stages[0])
    pace.finish(stages[0], took(10))
    assert pace.remaining() == "0:30"  # of another sort, but of the same kind
    pace.start(stages[3])
    pace.finish(stages[3], took(90))
    assert pace.remaining() == "0:20"


def test_a_stage_under_way_goes_on_at_its_own_rate(clock):
    far = {}
    pace = begun(stage("a", "embed"), how_far=far.get)
    pace.start(stage("a", "embed"))
    clock[0] += 30  # a worker is started and imports torch: that is no part of the rate
    far["a"] = 0.1
    pace.look()
    clock[0] += 20
    far["a"] = 0.3
    ((_, left),) = pace.look()
    assert left == pytest.approx(70)
    assert pace.remaining() == "1:10"


def test_a_stage_under_way_tells_what_the_next_of_its_sort_will_take(clock):
    far = {}
    pace = begun(stage("a"), stage("b"), stage("c", ipc=50), how_far=far.get)
    pace.start(stage("a"))
    for far["a"] in (0.0, 0.5):
        pace.look()
        clock[0] += 10
    clock[0] -= 10
    assert pace.remaining() == "0:50"


def test_progress_that_begins_anew_is_another_rate(clock):
    far = {"a": 0.0}
    pace = begun(stage("a"), how_far=far.get)
    pace.start(stage("a"))
    pace.look()
    clock[0] += 10
    far["a"] = 1.0  # latents, before training
    pace.look()
    far["a"] = 0.0
    pace.look()
    clock[0] += 10
    far["a"] = 0.5
    ((_, left),) = pace.look()
    assert left == pytest.approx(10)


def test_the_longest_stage_under_way_bounds_the_time_left(clock):
    stages = [stage("a"), stage("b"), stage("c", ipc=50)]
    pace = begun(*stages, cost=lambda s: 100.0 if s.key == "c" else 20.0)
    for one in stages[1:]:
        pace.start(one)
    clock[0] += 10
    assert pace.remaining() == "1:30"


def test_costs_of_earlier_runs_count_before_anything_ended(clock):
    pace = begun(stage("a"), stage("b", ipc=2), cost=lambda s: 40.0)
    assert pace.remaining() == "1:20"


def test_a_stage_that_takes_longer_than_expected_is_not_about_to_end(clock):
    pace = begun(stage("a"), stage("b", ipc=50), cost=lambda s: 10.0)
    pace.start(stage("a"))
    clock[0] += 15
    ((_, left),) = pace.look()
    assert left is None
    assert pace.remaining() == "at least 0:10"


def test_what_is_unknown_makes_a_lower_bound(clock):
    pace = begun(stage("a"), stage("b", "embed"), cost=lambda s: 40.0 if s.key == "a" else None)
    assert pace.remaining() == "at least 0:40"


def test_a_stage_that_is_tried_again_counts_once(clock):
    pace = begun(stage("a"), stage("b"), cost=lambda s: 10.0)
    pace.start(stage("a"))
    pace.start(stage("a"))
    pace.finish(stage("a"), took(10))
    assert pace.remaining() == "0:10"


def test_minutes_and_hours():
    assert [minutes(s) for s in (0, 80.4, 7280)] == ["0:00", "1:20", "2:01:20"]
