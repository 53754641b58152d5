"""Stages on cards under Ray, with declared cards: processes are kept, each stage knows its card, none is overcommitted.

The declared cards of a machine without any stand in for real ones: Ray hands them out all the same.
"""

import dataclasses
import os
import time

import pytest

from ddbench.config.schema import Resources, load_config
from ddbench.config.study import resolve
from ddbench.execute import cluster, on_ray
from ddbench.execute.backend import Job
from ddbench.execute.demand import Demand
from ddbench.execute.limits import Limit
from ddbench.plan.build import make_plan
from ddbench.stages.attempt import Attempt
from ddbench.stages.run import StageResult
from ddbench.store.opening import open_store


def reports(stage, root, attempt):
    """In place of ``run_on_worker``: what a stage sees of its process and its card, and when it ran."""
    began = time.time()
    time.sleep(0.3)
    seen = {
        "pid": os.getpid(),
        "card": on_ray.own_card(),
        "share": attempt.share,
        "visible": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "began": began,
        "ended": time.time(),
    }
    return StageResult("ok", about=seen)


@pytest.fixture(scope="module")
def backend(tmp_path_factory):
    """An executor on a Ray with four processors and two declared cards, of which CUDA_VISIBLE_DEVICES says 2 and 5."""
    patch = pytest.MonkeyPatch()
    patch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    connect = cluster._connect
    patch.setattr(cluster, "_connect", lambda *a, **o: connect(*a, **{**o, "num_cpus": 4, "num_gpus": 2}))
    patch.setattr(on_ray, "run_on_worker", reports)
    store = open_store(tmp_path_factory.mktemp("store") / "s", create=True)
    opened = on_ray.OnRay(store.address, Demand())
    yield opened
    opened.close()
    patch.undo()


@pytest.fixture(scope="module")
def stages():
    config = load_config("digits", {"grid.methods": ["random"], "grid.ipc": [1, 2]}, [])
    return [stage for stage in make_plan(resolve(config)).stages.values() if stage.kind == "evaluate"]


def run(backend, stages, gpus):
    """What each stage saw; ``gpus``: of each stage. As many run at once as fit."""
    waiting, seen = list(zip(stages, gpus, strict=True)), []
    while waiting or backend._under_way:
        while waiting:
            stage, share = waiting[0]
            backend._demand = Demand({"evaluate": Resources(gpus=share, cpus=1)})
            if not backend.fits(stage):
                break
            backend.submit(Job(stage, Attempt(), Limit()))
            waiting.pop(0)
        if ended := backend.wait(1.0):
            assert ended[1].outcome == "ok", ended[1]
            seen.append(ended[1].about)
    return seen


def most_at_once(seen):
    """The largest sum of shares of one card at any time."""
    return max(
        sum(other["share"] for other in seen if other["card"] == one["card"] and other["began"] <= t < other["ended"])
        for one in seen
        for t in [one["began"]]
    )


def test_consecutive_stages_on_a_card_keep_their_process(backend, stages):
    pids = [run(backend, [stage], [1.0])[0]["pid"] for stage in stages[:3]]
    assert len(set(pids)) == 1


def test_a_worker_sees_all_cards_and_knows_its_own(backend, stages):
    seen = run(backend, stages[:4], [1.0] * 4)
    assert {one["visible"] for one in seen} == {"2,5"}, "hidden cards stay hidden for the life of a process"
    assert {one["card"] for one in seen} == {0, 1}
    assert most_at_once(seen) <= 1


def test_parts_of_a_card_run_side_by_side_and_never_exceed_it(backend, stages):
    seen = run(backend, stages[:6], [0.5] * 6)
    assert {one["share"] for one in seen} == {0.5}
    assert most_at_once(seen) <= 1
    assert len({one["pid"] for one in seen}) > 1


def test_stages_without_a_card_run_beside_those_with_one(backend, stages):
    seen = run(backend, stages[:4], [1.0, 0.0, 0.5, 0.0])
    assert [one["card"] is None for one in seen].count(True) == 2


def visible():
    cluster.hide_other_cards()
    return os.environ.get("CUDA_VISIBLE_DEVICES")


def test_a_process_with_a_card_for_life_sees_that_card_alone(backend):
    function = backend._ray.remote(visible)
    assert backend._ray.get(function.options(num_gpus=1).remote()) in ("2", "5")
    assert backend._ray.get(function.options(num_gpus=2).remote()) in ("2,5", "5,2")


def test_more_cards_than_any_machine_has_is_refused(backend, stages):
    backend._demand = Demand({"evaluate": Resources(gpus=3)})
    assert "it takes 3 GPUs, and the most that a machine here has is 2" in backend.refuses(stages[0])


def test_a_part_that_was_too_small_is_tried_again_as_a_whole_card(backend, stages):
    stage = dataclasses.replace(stages[0], task={**stages[0].task, "device": "cuda"})
    from ddbench.execute.history import sort_of

    backend._demand = Demand({}, {}, {sort_of(stage.task): 1000.0}, 80_000)
    assert backend._room(stage).gpus == 0.125
    full = StageResult("out_of_memory", "CUDA out of memory")
    again = backend._in_a_part(stage, full)
    assert again.lost and "it had 0.125 of a card, and gets a whole one" in again.reason
    assert backend._room(stage).gpus == 1.0
    assert backend._in_a_part(stage, full) is full, "once"
