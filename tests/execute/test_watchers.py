"""Watchers are told of a run with its records, and whatever they do, the run is the same."""

import json
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from ddbench.config.schema import load_config
from ddbench.config.study import resolve
from ddbench.execute.interrupt import Stop
from ddbench.execute.jsonl import JsonLines
from ddbench.execute.schedule import run_schedule, to_run
from ddbench.execute.watched import Watched, run_start
from ddbench.plan.build import make_plan
from ddbench.stages.run import StageResult
from ddbench.store.folder import Store
from ddbench.store.opening import open_store
from ddbench.types import Record, RunEnd, RunStart, StageEnd, Watcher
from tests.support.pretend import Pretend, Quiet

NO = StageResult("failed", "ValueError: no", seconds=2.0)


@dataclass
class Remembers(Watcher):
    """Keeps what it is told in order."""

    events: list = field(default_factory=list)

    def begin(self, run):
        self.events.append(run)

    def stage(self, stage):
        self.events.append(stage)

    def record(self, record):
        self.events.append(record)

    def end(self, summary):
        self.events.append(summary)

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


@dataclass
class Raises(Remembers):
    """Raises at one event."""

    at: str = "record"
    error: BaseException = field(default_factory=lambda: OSError("no\n  connection"))

    def __getattribute__(self, name):
        if name == object.__getattribute__(self, "at"):
            self.events.append(name)
            raise self.error
        return object.__getattribute__(self, name)


@pytest.fixture
def config(tiny_study):
    return load_config(str(tiny_study), {}, [])


@pytest.fixture
def plan(config):
    return make_plan(resolve(config))


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store", create=True)


@pytest.fixture
def run(config, plan, store):
    """Carries the plan out with a backend that runs nothing; what the display said."""

    def run(*watchers, backend=None, stop=None, debug=False):
        display = Quiet()
        observer = Watched(display, watchers, run_start(config, plan, store), debug)
        backend = backend or Pretend(store)
        summary = run_schedule(plan, store, to_run(plan, store, observer), backend, observer, stop=stop)
        return summary, display.said

    return run


def test_it_is_told_of_begin_every_stage_with_its_record_and_end_in_order(plan, store, config, run):
    watcher = Remembers()
    backend = Pretend(store)
    run(watcher, backend=backend)
    start, *between, end = watcher.events
    assert start == RunStart(
        "tiny",
        store.address,
        config.model_dump(mode="json"),
        tuple(plan.cells),
        {k: n for k, n in plan.counts().items() if n},
    )
    assert [event.key for event in between if isinstance(event, StageEnd)] == [stage.key for stage in backend.order]
    for before, event in pairwise(between):
        if isinstance(event, Record):
            assert (before.kind, before.key, before.outcome) == ("evaluate", event.key, "ok")
    assert end == RunEnd("ok", "", {"total": 6, "ok": 6, "failed": 0, "cached": 0, "skipped": 0}, end.stages)
    assert end.stages["evaluate"] == {"run": 6, "cached": 0}


def test_the_records_are_those_of_the_store(store, run):
    watcher = Remembers()
    run(watcher, backend=Pretend(store, outcomes={"digits/rsm/fit": NO}))
    told = watcher.of(Record)
    assert sorted(told, key=lambda record: record.key) == store.records()
    assert sorted(record.outcome for record in told) == ["failed"] * 4 + ["ok"] * 2
    assert {record.reason for record in told if record.outcome == "failed"} == {
        "fit stage digits/rsm/fit: ValueError: no"
    }


def test_a_failure_is_told_as_a_stage_and_at_the_end(store, run):
    watcher = Remembers()
    run(watcher, backend=Pretend(store, outcomes={"digits/rsm/fit": NO}))
    (failed,) = [stage for stage in watcher.of(StageEnd) if stage.outcome != "ok"]
    assert (failed.kind, failed.label, failed.reason, failed.seconds) == (
        "fit",
        "digits/rsm/fit",
        "ValueError: no",
        2.0,
    )
    (end,) = watcher.of(RunEnd)
    assert (end.outcome, end.failures, end.cells["failed"]) == ("failed", (failed,), 4)


def test_a_run_that_goes_on_tells_of_what_it_runs_alone(store, run):
    run(backend=Pretend(store, outcomes={"digits/rsm/fit": NO}))
    watcher = Remembers()
    run(watcher)
    (start,), (end,) = watcher.of(RunStart), watcher.of(RunEnd)
    assert len(start.cells) == 6
    assert start.stages == {"fit": 1, "distill": 4, "evaluate": 4}
    assert len(watcher.of(Record)) == 4
    assert (end.cells["ok"], end.cells["cached"]) == (4, 2)
    run(last := Remembers())
    assert [type(event) for event in last.events] == [RunStart, RunEnd]


def test_a_skipped_cell_is_told_as_a_record(plan, store, run):
    evaluate = next(stage for stage in plan.stages.values() if stage.kind == "evaluate")
    evaluate.task["skipped"] = "it cannot be"
    run(watcher := Remembers())
    (record,) = [record for record in watcher.of(Record) if record.outcome == "skipped"]
    assert (record.key, record.reason) == (evaluate.key, "it cannot be")


def test_what_could_not_be_written_is_no_record(store, run, monkeypatch):
    write = Store.write_record

    def full(self, record):
        if record.outcome != "ok":
            raise OSError(28, "No space left on device")
        return write(self, record)

    monkeypatch.setattr(Store, "write_record", full)
    run(watcher := Remembers(), backend=Pretend(store, outcomes={"digits/rsm/fit": NO}))
    assert [record.outcome for record in watcher.of(Record)] == ["ok"] * 2


def test_records_are_not_read_back_for_nobody(store, run, monkeypatch):
    monkeypatch.setattr(Store, "record", lambda *_: pytest.fail("read"))
    assert run()[0].cells["ok"] == 6


def test_a_store_that_does_not_answer_costs_a_watcher_its_record_and_the_run_nothing(run, monkeypatch):
    def gone(*_):
        raise OSError("no route to host")

    monkeypatch.setattr(Store, "record", gone)
    summary, said = run(watcher := Remembers())
    assert summary.cells["ok"] == 6
    assert watcher.of(Record) == []
    assert "could not be read back for its watchers: no route to host" in said[0]


@pytest.mark.parametrize("at", ["begin", "stage", "record", "end"])
@pytest.mark.parametrize("error", [OSError("no\n  connection"), SystemExit(3)], ids=["error", "exit"])
def test_one_that_raises_is_reported_once_and_changes_nothing(run, at, error):
    raises, other = Raises(at=at, error=error), Remembers()
    summary, said = run(raises, other)
    assert summary.cells["ok"] == 6
    assert raises.events[-1] == at and raises.events.count(at) == 1
    assert [type(event) for event in other.events if not isinstance(event, StageEnd)] == [
        RunStart,
        *[Record] * 6,
        RunEnd,
    ]
    (report,) = said
    why = "OSError: no connection" if isinstance(error, OSError) else "SystemExit: 3"
    assert report == f"the watcher 'Raises' failed at {at}() and is told nothing more; the run goes on: {why}"


def test_the_traceback_of_one_that_raises_is_shown_on_request(run):
    _, (_, text) = run(Raises(), debug=True)
    assert text.startswith("Traceback") and "OSError" in text


def test_an_interrupt_within_a_watcher_stops_the_run_and_the_others_are_told_of_its_end(run):
    with pytest.raises(KeyboardInterrupt):
        run(Raises(at="record", error=KeyboardInterrupt()), other := Remembers())
    (end,) = other.of(RunEnd)
    assert (end.outcome, end.reason, end.cells["ok"]) == ("stopped", "KeyboardInterrupt", 1)


def test_the_end_is_told_of_a_run_that_was_stopped(store, run):
    stop = Stop()

    class Stopping(Pretend):
        def wait(self, seconds):
            stop.asked = len(self.order) >= 4
            return super().wait(seconds)

    run(watcher := Remembers(), backend=Stopping(store), stop=stop)
    assert isinstance(watcher.events[-1], RunEnd)
    assert (watcher.events[-1].outcome, watcher.events[-1].cells["total"]) == ("stopped", 6)


def test_the_end_is_told_of_a_run_that_an_error_ended(store, run):
    class Breaking(Pretend):
        def wait(self, seconds):
            raise RuntimeError("the cluster is gone")

    with pytest.raises(RuntimeError):
        run(watcher := Remembers(), backend=Breaking(store))
    assert isinstance(watcher.events[-1], RunEnd)
    assert (watcher.events[-1].outcome, watcher.events[-1].reason) == ("failed", "RuntimeError: the cluster is gone")


def test_json_lines_hold_what_was_told(tmp_path, store, run):
    path, watcher = tmp_path / "logs" / "run.jsonl", Remembers()
    run(JsonLines(str(path)), watcher, backend=Pretend(store, outcomes={"digits/rsm/fit": NO}))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    names = {RunStart: "begin", StageEnd: "stage", Record: "record", RunEnd: "end"}
    assert [line["event"] for line in lines] == [names[type(event)] for event in watcher.events]
    assert [Record.from_json(line["record"]) for line in lines if line["event"] == "record"] == watcher.of(Record)
    assert lines[0]["run"]["config"]["name"] == "tiny"
    assert lines[-1]["summary"]["failures"][0]["reason"] == "ValueError: no"
    assert lines == sorted(lines, key=lambda line: line["time"])


def test_a_line_is_in_the_file_at_once_and_a_second_run_goes_on_below(tmp_path, store, run):
    path, seen = tmp_path / "run.jsonl", []

    class Looking(Pretend):
        def wait(self, seconds):
            seen.append(len(path.read_text().splitlines()))
            return super().wait(seconds)

    run(JsonLines(str(path)), backend=Looking(store, slots=1))
    assert seen[:3] == [1, 2, 3]  # begin, then the end of each stage
    before = path.read_text()
    run(JsonLines(str(path)))
    assert path.read_text().startswith(before)
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()][-2:] == ["begin", "end"]


def test_json_lines_that_cannot_be_written_do_not_stop_a_run(tmp_path, run):
    (tmp_path / "file").write_text("")
    summary, said = run(JsonLines(str(tmp_path / "file" / "run.jsonl")))
    assert summary.cells["ok"] == 6
    assert said[0].startswith("the watcher 'jsonl' failed at begin()") and len(said) == 1
