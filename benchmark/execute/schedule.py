"""Scheduling the stages of a plan: which starts when, which is tried again, and which cells a failure fails."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import Any

from ddbench.config.schema import STAGE_KINDS
from ddbench.errors import BenchError, CorruptArtifact
from ddbench.execute.backend import Backend, Job
from ddbench.execute.claims import Claims
from ddbench.execute.interrupt import Stop
from ddbench.execute.missing import find_missing, is_damaged, to_run
from ddbench.execute.observer import Observer
from ddbench.execute.policy import Policy
from ddbench.execute.queue import Queue
from ddbench.execute.summary import Summary
from ddbench.execute.together import WINDOW, alike
from ddbench.plan.graph import Plan, Stage
from ddbench.stages.attempt import Attempt, where
from ddbench.stages.evaluate import failed_record
from ddbench.stages.run import StageResult
from ddbench.store.folder import Store
from ddbench.types import Record

__all__ = ["Observer", "Summary", "find_missing", "run_schedule", "to_run"]

POLL = 1.0
"""seconds between checks of other drivers' stages and of a requested stop"""


def run_schedule(
    plan: Plan,
    store: Store,
    missing: dict[str, Stage],
    backend: Backend,
    observer: Observer,
    policy: Policy | None = None,
    stop: Stop | None = None,
) -> Summary:
    """Run the stages ``missing`` of a plan (the result of ``to_run``).

    When a stage fails, the cells that depend on it get a record of the failure; all others go on. After a ``stop`` no
    stage is started, and running ones are waited for. On an exception the backend is closed.
    """
    claims, stop = Claims(store), stop or Stop()
    scheduler = _Scheduler(plan, store, missing, backend, observer, policy or Policy(), stop, claims)
    broken: BaseException | None = None
    try:
        scheduler.run()
    except BaseException as error:
        broken = error
        backend.close()
        raise
    finally:
        claims.close()
        summary = scheduler.summary(broken)
        observer.end(summary)
    return summary


class _Scheduler:
    def __init__(
        self,
        plan: Plan,
        store: Store,
        missing: dict[str, Stage],
        backend: Backend,
        observer: Observer,
        policy: Policy,
        stop: Stop,
        claims: Claims,
    ) -> None:
        self.plan, self.store, self.backend, self.observer = plan, store, backend, observer
        self.policy, self.stop, self.claims = policy, stop, claims
        self.queue = Queue(missing.values())
        self.planned = set(missing)
        self.under_way: dict[str, Job] = {}
        self.elsewhere: dict[str, Stage] = {}
        """stages that another driver runs"""
        self.checked = time.monotonic()
        """when they were last checked"""
        self.earlier: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        """lost attempts of a stage"""
        self.alone: set[str] = set()
        """stages that ran out of memory beside others"""
        self.repaired: set[str] = set()
        """stages whose damaged parents were made again once"""
        self.ran: Counter[str] = Counter()
        self.ok: set[str] = set()
        self.failed: set[str] = set()
        self.skipped = {key for key, stage in plan.stages.items() if "skipped" in stage.task}
        self.failures: list[tuple[Stage, str]] = []
        self.changed: list[tuple[Stage, tuple[str, ...]]] = []

    def run(self) -> None:
        waiting = [stage for key, stage in self.plan.stages.items() if key in self.queue]
        self.observer.begin(waiting)
        self.stop.tell = self._say_stopping
        for stage in waiting:
            if "skipped" in stage.task:
                self._finish(stage, StageResult("skipped", stage.task["skipped"]), {})
            elif stage.key in self.queue:
                self._refused(stage)
        while self._has_work():
            self._start()
            if self.under_way:
                ended = self.backend.wait(POLL)
                if ended is not None:
                    self._ended(*ended)
            elif not self.stop.asked and (self.queue or self.elsewhere):
                time.sleep(POLL)
            self._requeue_elsewhere()

    def _has_work(self) -> bool:
        return bool(self.under_way) or (bool(self.queue or self.elsewhere) and not self.stop.asked)

    def _start(self) -> None:
        """Start all stages that fit, in the order of kinds: priors first, evaluations last."""
        for kind in STAGE_KINDS:
            while not self.stop.asked and (stage := self.queue.first(kind)) and not self._refused(stage):
                if not self.backend.fits(stage):
                    break
                if self._claim(stage):
                    self._submit(stage, *self._companions(stage))

    def _claim(self, stage: Stage) -> bool:
        """Whether ``stage``, which is ready, is this driver's to run; it waits no longer in either case."""
        try:
            state = self.claims.claim(stage, self.queue.next)
        except (OSError, BenchError) as error:  # perhaps a full disk, on which it could not run either
            self._finish(stage, StageResult("failed", f"it could not be claimed: {error}"), {})
            return False
        self.queue.take(stage)
        if state == "elsewhere":
            self.elsewhere[stage.key] = stage
        elif state == "made":
            self._made_elsewhere(stage)
        return state == "mine"

    def _companions(self, stage: Stage) -> list[Stage]:
        """Ready stages that are claimed to run in one process with ``stage``; none that was tried before."""
        most, found = self.backend.most_together(stage), list[Stage]()
        if most > 1 and self._may_share(stage):
            for other in alike(stage, self.queue.next(stage.kind, WINDOW)):
                if len(found) + 1 == most:
                    break
                if self._may_share(other) and not self._refused(other) and self._claim(other):
                    found.append(other)
        return found

    def _may_share(self, stage: Stage) -> bool:
        return stage.key not in self.alone and not self.earlier[stage.key]

    def _submit(self, *stages: Stage) -> None:
        jobs = []
        for stage in stages:
            earlier = tuple(self.earlier[stage.key])
            attempt = Attempt(number=len(earlier) + 1, earlier=earlier, together=len(stages))
            jobs.append(Job(stage, attempt, self.policy.limit(stage)))
            self.under_way[stage.key] = jobs[-1]
            self.observer.started(stage)
        self.backend.submit(*jobs)

    def _refused(self, stage: Stage) -> bool:
        """Whether ``stage`` can never run here; then it is finished as failed, as it would wait for ever."""
        why = self.backend.refuses(stage)
        if why is not None:
            self._finish(stage, StageResult("failed", why), {})
        return why is not None

    def _made_elsewhere(self, stage: Stage) -> None:
        self.observer.finished(stage, StageResult("ok", "made by another run on this store"))
        self.planned.discard(stage.key)
        self.queue.done(stage.key)

    def _requeue_elsewhere(self) -> None:
        """Put the stages of other drivers back into the queue, so that they are claimed or found made or elsewhere."""
        if self.elsewhere and time.monotonic() - self.checked >= POLL:
            self.checked = time.monotonic()
            for stage in self.elsewhere.values():
                self.queue.add(stage, first=True)
            self.elsewhere.clear()

    def _ended(self, stage: Stage, result: StageResult) -> None:
        job = self.under_way.pop(stage.key)
        self._say_changed(stage, result)
        if result.said:
            self.observer.say(f"{stage.kind} {stage.label}: {result.said}")
        if result.corrupt and stage.key not in self.repaired:
            self._repair(stage, CorruptArtifact(*result.corrupt))
            return
        if result.outcome == "out_of_memory" and job.attempt.together > 1 and not result.lost:
            self._again_alone(job, result)
            return
        if result.lost:
            self.earlier[stage.key].append(self._lost(job, result))
            if job.attempt.number <= self.policy.retries:
                if self.stop.asked:
                    return  # it counts as not started
                tries = f"attempt {job.attempt.number} of {self.policy.retries + 1}"
                self.observer.say(f"{stage.kind} {stage.label}: {tries}: {result.reason}; it is tried again")
                self.queue.add(stage, first=True)
                return
        tried = {**job.attempt.about(stage.key), **result.about}
        if result.changed:
            tried["changed_state"] = {stage.kind: list(result.changed)}
        self._finish(stage, result, {**tried, "earlier": self.earlier[stage.key]} if result.lost else tried)

    def _repair(self, stage: Stage, damage: CorruptArtifact) -> None:
        """Put the damaged parent that ``stage`` reported, and then ``stage`` itself, back into the queue."""
        self.repaired.add(stage.key)
        if is_damaged(self.store, damage, self.observer) and damage.key not in self.under_way:
            if damage.key not in self.queue:
                self.queue.add(self.plan.stages[damage.key])
            self.planned.add(damage.key)
        self.queue.add(stage)

    def _again_alone(self, job: Job, result: StageResult) -> None:
        """Put a stage that ran out of memory beside others back into the queue, to run alone."""
        self.alone.add(job.stage.key)
        if not self.stop.asked:  # else it counts as not started
            beside = f"{job.stage.kind} {job.stage.label}: beside {job.attempt.together - 1} others: {result.reason}"
            self.observer.say(f"{beside}; it is tried again alone")
            self.queue.add(job.stage, first=True)

    def _lost(self, job: Job, result: StageResult) -> dict[str, Any]:
        key = job.stage.key
        return {
            "number": job.attempt.number,
            "attempt": job.attempt.id,
            "ended": datetime.now(UTC).isoformat(),
            "where": where(self.store.root, key, job.attempt),
            "why": result.reason,
            "output": job.attempt.log(key),
        }

    def _finish(self, stage: Stage, result: StageResult, tried: dict[str, Any]) -> None:
        self.observer.finished(stage, result)
        if result.outcome == "ok":
            self.ran[stage.kind] += 1
            self.ok.add(stage.key)
            self.queue.done(stage.key)
            self.claims.release(stage.key)
            self._report_record(stage, result.record)
            return
        if result.outcome != "skipped":
            self.failures.append((stage, result.reason))
        for broken in self.queue.drop(stage):
            if broken.kind == "evaluate":
                if result.outcome != "skipped":
                    self.failed.add(broken.key)
                reason = result.reason if broken is stage else f"{stage.kind} stage {stage.label}: {result.reason}"
                self._write_failure(failed_record(broken, result.outcome, reason, tried))
            self.claims.release(broken.key)

    def _write_failure(self, record: Record) -> None:
        try:
            self.store.write_record(record)
        except (OSError, BenchError) as error:  # perhaps a full disk; other stages go on
            self.observer.say(f"the failure of {record.cell} could not be written to the store: {error}")
        else:
            self.observer.record(record)

    def _report_record(self, stage: Stage, name: str) -> None:
        """Report the record that ``stage`` wrote, in the file ``name``, to observers that want records."""
        if not (name and self.observer.wants_records):
            return
        try:
            record = self.store.record(name, self.observer.say)
        except (OSError, BenchError) as error:  # a remote store does not answer; only watchers need the record
            self.observer.say(f"the record of {stage.label} could not be read back for its watchers: {error}")
        else:
            if record:
                self.observer.record(record)

    def _say_changed(self, stage: Stage, result: StageResult) -> None:
        """Say what a stage changed of the state of its process, for the first of all stages of a kind alone."""
        if not result.changed:
            return
        if (stage.kind, result.changed) not in [(other.kind, changed) for other, changed in self.changed]:
            what = "; ".join(result.changed)
            self.observer.say(
                f"{stage.kind} {stage.label} changed the state of its process, which was put back: {what}"
            )
        self.changed.append((stage, result.changed))

    def _say_stopping(self) -> None:
        names = ", ".join(f"{job.stage.kind} {job.stage.label}" for job in self.under_way.values())
        self.observer.say(
            f"stopping: nothing more is started, {len(self.under_way)} under way are waited for ({names or 'none'}). "
            "Once more stops at once; what is finished is kept, and the same command goes on from there."
        )

    def summary(self, broken: BaseException | None) -> Summary:
        """The summary of the run, up to its end or to the exception ``broken``."""
        cells: Counter[str] = Counter()
        for key in self.plan.cells.values():
            undone = "undone" if key in self.planned else "cached"
            ended = "failed" if key in self.failed else "ok" if key in self.ok else undone
            cells["skipped" if key in self.skipped else ended] += 1
        counts, asked = self.plan.counts(), Counter(self.plan.stages[key].kind for key in self.planned)
        return Summary(
            cells={"total": len(self.plan.cells), **{k: cells[k] for k in ("ok", "failed", "cached", "skipped")}},
            stages={kind: {"run": self.ran[kind], "cached": counts[kind] - asked[kind]} for kind in STAGE_KINDS},
            failures=self.failures,
            changed=self.changed,
            stopped=self.stop.asked or isinstance(broken, KeyboardInterrupt),
            error=f"{type(broken).__name__}: {broken}".removesuffix(": ") if broken else "",
        )
