"""The scheduling loop with a backend that runs nothing: order, failures, damage."""

import dataclasses
import json

import pytest

from benchmark.config import load_config
from benchmark.errors import BenchError
from benchmark.execute.backend import Backend
from benchmark.execute.walk import to_run
from benchmark.execute.walk import walk as walk_missing
from benchmark.plan import make_plan
from benchmark.stages import StageResult
from benchmark.store import Store
from benchmark.study import resolve
from benchmark.types import Cell, Record


class Pretend(Backend):
    """Writes what a stage would leave behind; ``outcomes`` makes chosen labels end otherwise."""

    def __init__(self, store, slots=2, outcomes=None, last_first=False):
        self.store, self.slots, self.outcomes, self.last_first = store, slots, dict(outcomes or {}), last_first
        self.queue, self.order = [], []

    def fits(self, stage):
        return len(self.queue) < self.slots

    def submit(self, stage):
        for parent in stage.parents:
            assert any(self.store.has(kind, parent) for kind in ("prior", "fit", "distill")), (
                "started before its parent"
            )
        self.queue.append(stage)
        self.order.append(stage)

    def wait(self):
        stage = self.queue.pop(-1 if self.last_first else 0)
        result = self.outcomes.pop(stage.label, StageResult("ok"))
        if isinstance(result, list):
            result, *rest = result
            if rest:
                self.outcomes[stage.label] = rest
        if result.outcome == "ok" and stage.kind == "evaluate":
            self.store.write_record(
                Record(key=stage.key, cell=Cell(**stage.task["cell"]), outcome="ok", curve=((1, 0.5),))
            )
        elif result.outcome == "ok":
            self.store.write(stage.kind, stage.key, lambda f: (f / "x").write_bytes(b"x"), {})
        return stage, result

    def close(self): ...


def walk(plan, store, backend, watcher):
    return walk_missing(plan, store, to_run(plan, store, watcher), backend, watcher)


class Quiet:
    def __init__(self):
        self.said, self.ended = [], []

    def begin(self, to_run): ...

    def started(self, stage): ...

    def finished(self, stage, result):
        self.ended.append((stage.label, result.outcome))

    def say(self, message):
        self.said.append(message)


@pytest.fixture
def plan(tiny_study):
    return make_plan(resolve(load_config(str(tiny_study), {}, [])))


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store", create=True)


def labels(stages, kind):
    return [s.label for s in stages if s.kind == kind]


@pytest.mark.parametrize("slots", [1, 2, 5])
@pytest.mark.parametrize("last_first", [False, True])
def test_every_stage_runs_once_after_its_parents_whatever_ends_first(plan, store, slots, last_first):
    backend = Pretend(store, slots, last_first=last_first)
    summary = walk(plan, store, backend, Quiet())
    assert sorted(s.key for s in backend.order) == sorted(plan.stages)
    assert summary.cells == {"total": 6, "ok": 6, "failed": 0, "cached": 0, "skipped": 0}
    assert {kind: n["run"] for kind, n in summary.stages.items()} == plan.counts()


def test_what_most_stages_rest_on_starts_first(plan, store):
    backend = Pretend(store, slots=1)
    walk(plan, store, backend, Quiet())
    assert [s.kind for s in backend.order] == ["prior", "fit"] + ["distill"] * 6 + ["evaluate"] * 6


def test_a_finished_study_runs_nothing(plan, store):
    walk(plan, store, Pretend(store), Quiet())
    backend = Pretend(store)
    summary = walk(plan, store, backend, Quiet())
    assert backend.order == []
    assert summary.cells["cached"] == 6
    assert all(n["run"] == 0 for n in summary.stages.values())


def test_a_failed_stage_fails_its_cells_on_record_and_nothing_else(plan, store):
    backend = Pretend(store, outcomes={"digits/rsm/fit": StageResult("failed", "ValueError: no")})
    summary = walk(plan, store, backend, Quiet())
    assert summary.cells == {"total": 6, "ok": 2, "failed": 4, "cached": 0, "skipped": 0}
    assert [(s.label, why) for s, why in summary.failures] == [("digits/rsm/fit", "ValueError: no")]
    failed = [r for r in store.records() if r.outcome == "failed"]
    assert {r.cell.method for r in failed} == {"rsm", "rsm_cgs"}
    assert {r.reason for r in failed} == {"fit stage digits/rsm/fit: ValueError: no"}


def test_the_outcome_of_a_failure_is_kept(plan, store):
    backend = Pretend(store, outcomes={"digits/random/ipc1/seed0": StageResult("invalid_output", "InvalidOutput: few")})
    walk(plan, store, backend, Quiet())
    assert [r.outcome for r in store.records() if r.cell.method == "random"].count("invalid_output") == 1


def test_running_again_tries_only_what_failed(plan, store):
    walk(plan, store, Pretend(store, outcomes={"digits/rsm/fit": StageResult("failed", "x")}), Quiet())
    backend = Pretend(store)
    summary = walk(plan, store, backend, Quiet())
    assert labels(backend.order, "fit") == ["digits/rsm/fit"]
    assert labels(backend.order, "prior") == []
    assert summary.cells == {"total": 6, "ok": 4, "failed": 0, "cached": 2, "skipped": 0}


def test_an_artifact_found_truncated_is_set_aside_and_made_again(plan, store):
    walk(plan, store, Pretend(store), Quiet())
    damaged = next(s for s in plan.stages.values() if s.kind == "distill")
    (store.folder("distill", damaged.key) / "x").write_bytes(b"")
    assert list(to_run(plan, store)) == [damaged.key]
    assert store.folder("distill", damaged.key).exists(), "a look does not touch"
    backend, watcher = Pretend(store), Quiet()
    walk(plan, store, backend, watcher)
    assert [s.key for s in backend.order] == [damaged.key]
    assert "set aside" in watcher.said[0]
    assert store.has("distill", damaged.key)


def damage(store, key, kind):
    """Change a byte: the size stays, so that only a reader notices."""
    path = store.folder(kind, key) / "x"
    path.write_bytes(b"y")
    return StageResult("failed", "damaged", corrupt=(kind, key, "bad digest"))


class Damaging(Pretend):
    """Damages an artifact before the first of ``children`` reads it; all of them meet the damage."""

    def __init__(self, store, parent, children, **kw):
        super().__init__(store, **kw)
        self.parent, self.children = parent, set(children)

    def wait(self):
        stage = self.queue[0]
        if stage.label in self.children:
            self.children.discard(stage.label)
            self.queue.pop(0)
            if not self.outcomes.get("done"):
                self.outcomes["done"] = True
                damage(self.store, self.parent.key, self.parent.kind)
            return stage, StageResult("failed", "met", corrupt=(self.parent.kind, self.parent.key, "bad digest"))
        return super().wait()


@pytest.mark.parametrize("slots", [1, 2, 4])
def test_damage_that_several_stages_meet_makes_their_parent_again_once(plan, store, slots):
    fit = next(s for s in plan.stages.values() if s.kind == "fit")
    children = [s.label for s in plan.stages.values() if s.kind == "distill" and fit.key in s.parents]
    backend, watcher = Damaging(store, fit, children[:3], slots=slots), Quiet()
    summary = walk(plan, store, backend, watcher)
    assert len(labels(backend.order, "fit")) == 2
    assert [m for m in watcher.said if "set aside" in m] == watcher.said
    assert len(watcher.said) == 1
    assert summary.cells == {"total": 6, "ok": 6, "failed": 0, "cached": 0, "skipped": 0}


def test_a_stage_that_meets_damage_again_after_that_has_failed(plan, store):
    parent = next(s for s in plan.stages.values() if s.label == "digits/random/ipc1/seed0")
    child = next(s for s in plan.stages.values() if s.parents == (parent.key,))
    met = StageResult("failed", "damaged", corrupt=("distill", parent.key, "bad digest"))
    summary = walk(plan, store, Pretend(store, outcomes={child.label: [met, met]}), Quiet())
    assert summary.cells["failed"] == 1


def test_a_record_can_be_lost_without_its_artifacts(plan, store):
    walk(plan, store, Pretend(store), Quiet())
    for path in (store.root / "records").iterdir():
        path.unlink()
    backend = Pretend(store)
    walk(plan, store, backend, Quiet())
    assert {s.kind for s in backend.order} == {"evaluate"}


def test_records_are_json_of_themselves(plan, store):
    walk(plan, store, Pretend(store), Quiet())
    for record in store.records():
        assert Record.from_json(json.loads(json.dumps(dataclasses.asdict(record)))) == record


def test_a_stage_that_fits_nowhere_is_refused_and_not_waited_for(plan, store):
    with pytest.raises(BenchError, match="nothing here can run the prior stage digits/prior"):
        walk(plan, store, Pretend(store, slots=0), Quiet())
