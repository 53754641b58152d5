"""What watchers are told of a search: the records of each round as it ends, in the process of the command."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import TracebackType

from ddbench.execute.summary import Summary
from ddbench.execute.watched import Watched
from ddbench.plan.graph import Stage
from ddbench.store.folder import Store
from ddbench.tune.trial import OnRound, Trial


class WatchedSearch:
    """Tells ``observer`` of a search whose ``trials`` write to ``store``.

    Trials run in processes of their own, where their stages are not reported one by one; a record is reported once,
    after the round that made it, and after the search where its round failed. ``left``: the stages of all trials that
    the store lacks. A context manager: its beginning and end are the first and the last event.
    """

    def __init__(self, trials: Sequence[Trial], left: Mapping[str, Stage], store: Store, observer: Watched) -> None:
        self.trials, self.left, self.store, self.observer = trials, left, store, observer
        self.keys = [key for trial in trials for key in trial.plan.cells.values()]
        self.before = {record.key: record for record in store.records(self.keys)}
        self.done = {key for key, record in self.before.items() if record.outcome in ("ok", "skipped")}
        self.cached = len(self.done)
        self.outcomes: Counter[str] = Counter()

    def __enter__(self) -> WatchedSearch:
        self.observer.begin(list(self.left.values()))
        return self

    def after_rounds(self, on_round: OnRound) -> OnRound:
        """``on_round``, and then the watchers."""

        def told(index: int, done: int, top1: float) -> None:
            on_round(index, done, top1)
            trial = self.trials[index]
            self._tell([trial.plan.cells[cell] for cell in trial.cells(done)])

        return told

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._tell(self.keys)  # what no round has reported: that of failed rounds
        total = len(set(self.keys))
        ok, skipped, failed = (self.outcomes[outcome] for outcome in ("ok", "skipped", "failed"))
        cells = {"total": total, "ok": ok, "cached": self.cached, "failed": failed, "skipped": skipped}
        ran = Counter(stage.kind for stage in self.left.values() if self._made(stage))
        stages = {str(kind): {"run": number, "cached": 0} for kind, number in ran.items()}
        stopped = isinstance(error, KeyboardInterrupt)
        reason = f"{type(error).__name__}: {error}" if error and not stopped else ""
        self.observer.end(Summary(cells, stages, stopped=stopped, error=reason))

    def _tell(self, keys: Sequence[str]) -> None:
        self.store.refresh()
        for record in self.store.records([key for key in keys if key not in self.done]):
            if record == self.before.get(record.key):  # of an earlier failure, not tried again yet
                continue
            self.done.add(record.key)
            self.outcomes[record.outcome] += 1
            self.observer.record(record)

    def _made(self, stage: Stage) -> bool:
        return stage.key in self.done if stage.kind == "evaluate" else self.store.has(stage.kind, stage.key)
