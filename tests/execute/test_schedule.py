"""The scheduling loop with a backend that runs nothing: order, failures, damage."""

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.execute import claims
from ddbench.execute import schedule as walking
from ddbench.execute.interrupt import Stop
from ddbench.execute.policy import Policy
from ddbench.execute.schedule import run_schedule, to_run
from ddbench.plan.build import make_plan
from ddbench.stages.run import StageResult
from ddbench.store.folder import Store
from ddbench.store.leases import Leases
from ddbench.store.opening import open_store
from ddbench.types import Record
from tests.support.pretend import Pretend, Quiet, run_missing


@pytest.fixture
def plan(tiny_study):
    return make_plan(resolve(load_config(str(tiny_study), {}, [])))


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store", create=True)


def labels(stages, kind):
    return [s.label for s in stages if s.kind == kind]


@pytest.mark.parametrize("slots", [1, 2, 5])
@pytest.mark.parametrize("last_first", [False, True])
def test_every_stage_runs_once_after_its_parents_whatever_ends_first(plan, store, slots, last_first):
    backend = Pretend(store, slots, last_first=last_first)
    summary = run_missing(plan, store, backend, Quiet())
    assert sorted(s.key for s in backend.order) == sorted(plan.stages)
    assert summary.cells == {"total": 6, "ok": 6, "failed": 0, "cached": 0, "skipped": 0}
    assert {kind: n["run"] for kind, n in summary.stages.items()} == plan.counts()


def test_what_most_stages_rest_on_starts_first(plan, store):
    backend = Pretend(store, slots=1)
    run_missing(plan, store, backend, Quiet())
    assert [s.kind for s in backend.order] == ["prior", "fit"] + ["distill"] * 6 + ["evaluate"] * 6


def test_a_finished_study_runs_nothing(plan, store):
    run_missing(plan, store, Pretend(store), Quiet())
    backend = Pretend(store)
    summary = run_missing(plan, store, backend, Quiet())
    assert backend.order == []
    assert summary.cells["cached"] == 6
    assert all(n["run"] == 0 for n in summary.stages.values())


def test_a_failed_stage_fails_its_cells_on_record_and_nothing_else(plan, store):
    backend = Pretend(store, outcomes={"digits/rsm/fit": StageResult("failed", "ValueError: no")})
    summary = run_missing(plan, store, backend, Quiet())
    assert summary.cells == {"total": 6, "ok": 2, "failed": 4, "cached": 0, "skipped": 0}
    assert [(s.label, why) for s, why in summary.failures] == [("digits/rsm/fit", "ValueError: no")]
    failed = [r for r in store.records() if r.outcome == "failed"]
    assert {r.cell.method for r in failed} == {"rsm", "rsm_cgs"}
    assert {r.reason for r in failed} == {"fit stage digits/rsm/fit: ValueError: no"}


def test_the_outcome_of_a_failure_is_kept(plan, store):
    backend = Pretend(store, outcomes={"digits/random/ipc1/seed0": StageResult("invalid_output", "InvalidOutput: few")})
    run_missing(plan, store, backend, Quiet())
    assert [r.outcome for r in store.records() if r.cell.method == "random"].count("invalid_output") == 1


def test_running_again_tries_only_what_failed(plan, store):
    run_missing(plan, store, Pretend(store, outcomes={"digits/rsm/fit": StageResult("failed", "x")}), Quiet())
    backend = Pretend(store)
    summary = run_missing(plan, store, backend, Quiet())
    assert labels(backend.order, "fit") == ["digits/rsm/fit"]
    assert labels(backend.order, "prior") == []
    assert summary.cells == {"total": 6, "ok": 4, "failed": 0, "cached": 2, "skipped": 0}


def test_an_artifact_found_truncated_is_set_aside_and_made_again(plan, store):
    run_missing(plan, store, Pretend(store), Quiet())
    damaged = next(s for s in plan.stages.values() if s.kind == "distill")
    (store.folder("distill", damaged.key) / "x").write_bytes(b"")
    assert list(to_run(plan, store)) == [damaged.key]
    assert store.folder("distill", damaged.key).exists(), "a look does not touch"
    backend, observer = Pretend(store), Quiet()
    run_missing(plan, store, backend, observer)
    assert [s.key for s in backend.order] == [damaged.key]
    assert "set aside" in observer.said[0]
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

    def wait(self, seconds):
        stage = self.queue[0]
        if stage.label in self.children:
            self.children.discard(stage.label)
            self.queue.pop(0)
            if not self.outcomes.get("done"):
                self.outcomes["done"] = True
                damage(self.store, self.parent.key, self.parent.kind)
            return stage, StageResult("failed", "met", corrupt=(self.parent.kind, self.parent.key, "bad digest"))
        return super().wait(seconds)


@pytest.mark.parametrize("slots", [1, 2, 4])
def test_damage_that_several_stages_meet_makes_their_parent_again_once(plan, store, slots):
    fit = next(s for s in plan.stages.values() if s.kind == "fit")
    children = [s.label for s in plan.stages.values() if s.kind == "distill" and fit.key in s.parents]
    backend, observer = Damaging(store, fit, children[:3], slots=slots), Quiet()
    summary = run_missing(plan, store, backend, observer)
    assert len(labels(backend.order, "fit")) == 2
    assert [m for m in observer.said if "set aside" in m] == observer.said
    assert len(observer.said) == 1
    assert summary.cells == {"total": 6, "ok": 6, "failed": 0, "cached": 0, "skipped": 0}


def test_a_stage_that_meets_damage_again_after_that_has_failed(plan, store):
    parent = next(s for s in plan.stages.values() if s.label == "digits/random/ipc1/seed0")
    child = next(s for s in plan.stages.values() if s.parents == (parent.key,))
    met = StageResult("failed", "damaged", corrupt=("distill", parent.key, "bad digest"))
    summary = run_missing(plan, store, Pretend(store, outcomes={child.label: [met, met]}), Quiet())
    assert summary.cells["failed"] == 1


def test_a_record_can_be_lost_without_its_artifacts(plan, store):
    run_missing(plan, store, Pretend(store), Quiet())
    for path in (store.root / "records").iterdir():
        path.unlink()
    backend = Pretend(store)
    run_missing(plan, store, backend, Quiet())
    assert {s.kind for s in backend.order} == {"evaluate"}


def test_records_are_json_of_themselves(plan, store):
    run_missing(plan, store, Pretend(store), Quiet())
    for record in store.records():
        assert Record.from_json(json.loads(json.dumps(dataclasses.asdict(record)))) == record


def test_a_stage_that_fits_nowhere_has_failed_at_once_and_the_others_go_on(plan, store):
    backend = Pretend(store, refused={"digits/rsm/fit": "it takes 9 GPUs"})
    summary = run_missing(plan, store, backend, Quiet())
    assert [(s.label, why) for s, why in summary.failures] == [("digits/rsm/fit", "it takes 9 GPUs")]
    assert summary.cells == {"total": 6, "ok": 2, "failed": 4, "cached": 0, "skipped": 0}
    assert {r.reason for r in store.records() if r.outcome == "failed"} == {"fit stage digits/rsm/fit: it takes 9 GPUs"}
    assert "fit" not in {s.kind for s in backend.order}


LOST = StageResult("failed", "the worker was lost", lost=True)


def test_a_lost_worker_is_replaced_and_its_attempts_are_known_to_the_last(plan, store):
    backend = Pretend(store, outcomes={"digits/rsm/fit": [LOST, LOST]})
    observer = Quiet()
    summary = run_missing(plan, store, backend, observer)
    assert summary.cells["ok"] == 6
    tries = [job.attempt for job in backend.jobs if job.stage.kind == "fit"]
    assert [attempt.number for attempt in tries] == [1, 2, 3]
    assert [e["why"] for e in tries[-1].earlier] == ["the worker was lost"] * 2
    assert len({attempt.id for attempt in tries}) == 3
    assert "attempt 1 of 3" in observer.said[0]
    assert not [r for r in store.records() if r.outcome != "ok"]


def test_losses_are_borne_so_often_and_then_are_a_failure_that_names_them_all(plan, store):
    label = next(s.label for s in plan.stages.values() if s.kind == "evaluate")
    backend = Pretend(store, outcomes={label: [LOST] * 9})
    summary = run_schedule(plan, store, to_run(plan, store), backend, Quiet(), Policy(retries=1))
    assert summary.cells["failed"] == 1
    (record,) = [r for r in store.records() if r.outcome == "failed"]
    assert [e["number"] for e in record.run["earlier"]] == [1, 2]
    assert record.run["output"].startswith(f"logs/{record.key}.")


def test_an_exception_is_not_tried_again(plan, store):
    backend = Pretend(store, outcomes={"digits/rsm/fit": StageResult("failed", "ValueError: no")})
    run_missing(plan, store, backend, Quiet())
    assert len([job for job in backend.jobs if job.stage.kind == "fit"]) == 1


def test_after_a_stop_what_is_under_way_is_waited_for_and_nothing_more_is_started(plan, store):
    stop = Stop()

    class Stopping(Pretend):
        def wait(self, seconds):
            if len(self.order) == 4 and not stop.asked:
                stop.asked = True
                stop.tell()
            return super().wait(seconds)

    backend, observer = Stopping(store), Quiet()
    summary = run_schedule(plan, store, to_run(plan, store), backend, observer, stop=stop)
    assert len(backend.order) == 4
    assert backend.queue == []
    assert summary.cells == {"total": 6, "ok": 0, "failed": 0, "cached": 0, "skipped": 0}
    assert "under way are waited for" in observer.said[0]
    assert run_missing(plan, store, Pretend(store), Quiet()).cells["ok"] == 6


def test_an_exception_closes_the_backend_and_gives_the_leases_back(plan, store):
    class Interrupted(Pretend):
        closed = False

        def wait(self, seconds):
            raise KeyboardInterrupt

        def close(self):
            self.closed = True

    backend = Interrupted(store)
    with pytest.raises(KeyboardInterrupt):
        run_missing(plan, store, backend, Quiet())
    assert backend.closed
    assert Leases(store).holder(backend.order[0].key) is None


def test_what_another_driver_makes_is_waited_for_and_not_made_here(plan, store, monkeypatch):
    monkeypatch.setattr(walking, "POLL", 0.01)
    other, prior = Leases(store), next(s for s in plan.stages.values() if s.kind == "prior")
    assert other.claim(prior.key)

    class Elsewhere(Pretend):
        def wait(self, seconds):
            if len(self.order) == 4 and not store.has("prior", prior.key):
                self.store.write("prior", prior.key, lambda f: (f / "x").write_bytes(b"x"), {})
                other.release(prior.key)
            return super().wait(seconds)

    backend = Elsewhere(store)
    summary = run_missing(plan, store, backend, Quiet())
    assert [s.kind for s in backend.order[:4]] == ["distill"] * 2 + ["evaluate"] * 2  # the random ones
    assert "prior" not in {s.kind for s in backend.order}
    assert summary.stages["prior"] == {"run": 0, "cached": 1}
    assert summary.cells == {"total": 6, "ok": 6, "failed": 0, "cached": 0, "skipped": 0}


def test_two_drivers_share_a_study_and_run_no_stage_twice(plan, store, monkeypatch):
    monkeypatch.setattr(walking, "POLL", 0.01)
    first, second = Pretend(store), Pretend(store)
    missing = to_run(plan, store)  # both have seen an empty store
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(run_schedule, plan, store, missing, b, Quiet()) for b in (first, second)]
        cells = [w.result(timeout=60).cells for w in runs]
    assert sorted(s.key for s in first.order + second.order) == sorted(plan.stages)
    assert sum(c["ok"] for c in cells) == 6
    assert all(c["ok"] + c["cached"] == 6 for c in cells)


def test_many_cells_are_claimed_at_a_time_in_a_large_store(plan, store, monkeypatch):
    monkeypatch.setattr(claims, "RECORDS_A_CLAIM", 1)
    listings = []
    monkeypatch.setattr(store, "done", lambda: listings.append(1) or Store.done(store))
    missing = to_run(plan, store)
    listings.clear()
    assert run_schedule(plan, store, missing, Pretend(store), Quiet()).cells["ok"] == 6
    assert len(listings) < 6


def test_a_failure_that_cannot_be_written_is_told_and_the_others_go_on(plan, store, monkeypatch):
    write = Store.write_record

    def full(self, record):
        if record.outcome != "ok":
            raise OSError(28, "No space left on device")
        write(self, record)

    monkeypatch.setattr(Store, "write_record", full)
    observer = Quiet()
    backend = Pretend(store, outcomes={"digits/rsm/fit": StageResult("failed", "x")})
    assert run_missing(plan, store, backend, observer).cells["failed"] == 4
    assert len([m for m in observer.said if "No space left" in m]) == 4


def test_a_skipped_cell_is_on_record_once_and_no_failure(plan, store):
    cell = next(s for s in plan.stages.values() if s.kind == "evaluate")
    skipped = dataclasses.replace(cell, parents=(), task={**cell.task, "skipped": "it needs a GPU"})
    lacking = dataclasses.replace(plan, stages={**plan.stages, cell.key: skipped})
    for _ in range(2):
        backend = Pretend(store, refused={cell.label: "no such machine"})
        summary = run_missing(lacking, store, backend, Quiet())
        assert summary.failures == []
        assert (summary.cells["skipped"], summary.cells["failed"]) == (1, 0)
        assert cell.key not in {s.key for s in backend.order}
    (record,) = [r for r in store.records() if r.outcome == "skipped"]
    assert record.reason == "it needs a GPU"
    assert len(list((store.root / "records").glob("*.skipped.*"))) == 1
    assert to_run(lacking, store) == {}
