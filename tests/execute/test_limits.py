"""Limits of time and of standing still, told apart and told with how far the stage was."""

import pytest

from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.errors import BenchError
from ddbench.execute import limits
from ddbench.execute.demand import Demand, Room, largest, recorded_peaks, refusal
from ddbench.execute.limits import Clock, Limit
from ddbench.execute.policy import Policy
from ddbench.plan.build import make_plan
from ddbench.store.opening import open_store


@pytest.fixture
def now(monkeypatch):
    class Time:
        at = 100.0

        def monotonic(self):
            return self.at

    time = Time()
    monkeypatch.setattr(limits, "time", time)
    return time


def test_a_stage_that_takes_too_long_is_over_its_limit(now):
    clock = Clock(Limit("distill", seconds=10), lambda: None)
    now.at += 10
    assert clock.broken() is None
    now.at += 1
    assert clock.broken() == "it took longer than the 10 s of timeouts.distill; it had told no progress"


def test_progress_starts_the_wait_for_more_anew(now):
    share = [None]
    clock = Clock(Limit("fit", stall=5), lambda: share[0])
    now.at += 100
    assert clock.broken() is None, "a stage that tells nothing is not taken for stalled"
    for done in (0.25, 0.5):
        share[0] = done
        assert clock.broken() is None
        now.at += 4
    assert clock.broken() is None
    now.at += 2
    assert clock.broken() == "no progress for the 5 s of stall; it was 50% done"


def stage_of(tiny_study, kind, *assignments):
    plan = make_plan(resolve(load_config(str(tiny_study), {}, assignments)))
    return next(stage for stage in plan.stages.values() if stage.kind == kind)


RUNNING = [
    "resources.evaluate.gpus=0.25",
    "resources.evaluate.memory_gib=2",
    "timeouts.evaluate=60",
    "stall=30",
    "retries=5",
]


def test_how_stages_are_run_is_no_part_of_their_keys(tiny_study):
    assert stage_of(tiny_study, "evaluate", *RUNNING).key == stage_of(tiny_study, "evaluate").key


def test_configured_needs_stand_before_threads_and_recorded_peaks(tiny_study):
    config = load_config(str(tiny_study), {}, RUNNING)
    stage, machine = stage_of(tiny_study, "evaluate"), Room(4, 1, 9000)
    assert Demand(config.resources, {"evaluate": 700}).of(stage, machine) == Room(1, 0.25, 2048)
    assert Demand({}, {"evaluate": 700}).of(stage, machine) == Room(1, 0, 700)
    assert Policy.of(config).limit(stage) == Limit("evaluate", 60, 30)
    assert not Policy().limit(stage)


def test_more_threads_or_memory_than_there_is_are_cut_unless_they_were_asked_for(tiny_study):
    stage, machine = stage_of(tiny_study, "prior", "threads.prior=8"), Room(2, 0, 1000)
    assert Demand({}, {"prior": 5000}).of(stage, machine) == machine
    assert refusal(stage, machine, [machine]) is None
    asked = load_config(str(tiny_study), {}, ["resources.prior.cpus=8"]).resources
    needs = Demand(asked).of(stage, machine)
    assert "it takes 8 processors, and the most that a machine here has is 2" in refusal(stage, needs, [machine])


def test_no_two_machines_make_one(tiny_study):
    stage = stage_of(tiny_study, "fit")
    machines = [Room(8, 0, 1000), Room(1, 2, 1000)]
    assert largest(machines) == Room(8, 2, 1000)
    assert "on one machine" in refusal(stage, Room(4, 1, 0), machines)


def test_the_largest_recorded_peak_of_a_kind_is_what_is_planned_for(tmp_path):
    store = open_store(tmp_path / "s", create=True)
    for key, peak in (("a", 300), ("b", 900), ("c", 400)):
        store.write("distill", key, lambda folder: None, {"run": {"peak_memory_mib": peak}})
    store.write("fit", "d", lambda folder: None, {"run": {}})
    assert recorded_peaks(store, ["distill", "fit", "evaluate"]) == ({"distill": 900}, {})


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("timeouts.distil=5", "unknown kind of stage 'distil' in timeouts. Did you mean 'distill'?"),
        ("resources.evaluat.gpus=1", "Did you mean 'evaluate'?"),
        ("resources.evaluate.gpu=1", "gpu"),
        ("resources.evaluate.gpus=1.5", "a part of one GPU, or whole ones"),
        ("retries=-1", "retries"),
    ],
)
def test_slips_are_named(tiny_study, assignment, message):
    with pytest.raises(BenchError, match=r".*") as refused:
        load_config(str(tiny_study), {}, [assignment])
    assert message in str(refused.value)
