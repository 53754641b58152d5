"""A search: from a study, a method and ranges to trials, and from their results to the best setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from datetime import UTC, datetime
from typing import Any

from ddbench.config.schema import Config, changed
from ddbench.config.study import Study, resolve
from ddbench.config.values import describe, fields_named
from ddbench.errors import BenchError, nearest
from ddbench.plan.build import make_plan
from ddbench.plan.graph import Plan
from ddbench.stages.provenance import provenance
from ddbench.store.folder import Store
from ddbench.tune.ranges import Range
from ddbench.tune.record import TrialRow, Tune
from ddbench.tune.space import Scheduler, Search, propose
from ddbench.tune.trial import Ending, OnRound, Runner, Trial, judged, top1
from ddbench.types import Distiller, Split

SPLIT: Split = "validation"
SECTIONS = ("methods", "per_dataset")
"""sections of a configuration whose keys may be searched"""


@dataclass(frozen=True)
class Request:
    """A search to run. ``config``: the study, with the searched method alone in its grid."""

    config: Config
    space: Mapping[str, Range]
    search: Search
    draws: int
    """number of settings of a random search"""
    seed: int
    scheduler: Scheduler

    @property
    def method(self) -> str:
        return self.config.grid.methods[0]


def make_trials(request: Request) -> list[Trial]:
    """The trials of a search, with the study's own values first. All plans are made here, before anything runs.

    Raises BenchError for a split that is not the validation part, an unknown key, a value out of range, and a key that
    the method does not read.
    """
    config = request.config
    if config.split != SPLIT:
        raise BenchError(f"a search judges on the validation part, never on {config.split}: leave split out of --set.")
    study = resolve(config)
    own = make_plan(study)
    for key, values in request.space.items():
        _check(config, key, values, own, request.method)
    current = {key: _current(study, key, request.method) for key in request.space}
    trials = [Trial(0, current, (), own)]
    taken = {tuple(own.cells.values())}
    for proposed in propose(request.space, request.search, request.draws, request.seed):
        plan = _plan(config, proposed)
        if (keys := tuple(plan.cells.values())) not in taken:
            taken.add(keys)
            trials.append(Trial(len(trials), {**current, **proposed}, tuple(proposed), plan))
    return trials


def check_validation(config: Config, store: Store) -> None:
    """Raises BenchError when a dataset of the study has no validation part. Decoded images stay in the cache."""
    for name, dataset in resolve(config).datasets.items():
        try:
            images = dataset.load(SPLIT, store.cache)
        except BenchError:
            raise
        except Exception as error:
            raise BenchError(f"{name} gives no validation part: {type(error).__name__}: {error}.") from error
        if not len(images):
            raise BenchError(f"the validation part of {name} is empty: set train images aside for it.")


def run_search(
    request: Request, trials: Sequence[Trial], store: Store, runner: Runner, on_round: OnRound, failure: str = ""
) -> Tune:
    """Run the trials and return the record of the search.

    ``failure``: why none of them can run, because a preparation that they share failed.
    """
    started = datetime.now(UTC)
    endings = [Ending(0, failure)] * len(trials) if failure else runner(trials, store.address, on_round)
    rows = tuple(_row(trial, ending, store) for trial, ending in zip(trials, endings, strict=True))
    return Tune(
        study=request.config.name,
        method=request.method,
        split=SPLIT,
        config=request.config.model_dump(mode="json"),
        space={key: values.text for key, values in request.space.items()},
        search=request.search,
        scheduler=request.scheduler,
        draws=request.draws,
        seed=request.seed,
        rounds=len(trials[0].rounds),
        trials=rows,
        run={
            "started": started.isoformat(),
            "finished": datetime.now(UTC).isoformat(),
            "seconds": (datetime.now(UTC) - started).total_seconds(),
            "seconds_of_trials": [round(ending.seconds, 3) for ending in endings],
            "provenance": provenance(),
        },
    )


def _row(trial: Trial, ending: Ending, store: Store) -> TrialRow:
    records = judged(trial, ending.rounds, store)
    complete = ending.rounds == len(trial.rounds) and len(records) == len(trial.plan.cells)
    stopped = f"stopped by the scheduler after {ending.rounds} of {len(trial.rounds)} rounds"
    return TrialRow(
        trial=trial.index,
        values=trial.values,
        varied=trial.varied,
        outcome="failed" if ending.failure else "ok" if complete else "stopped",
        reason=ending.failure or ("" if complete else stopped),
        rounds=ending.rounds,
        top1=top1([record for _, record in records]) if records else None,
        cells=tuple({"cell": vars(cell), "key": record.key, "top1": record.last} for cell, record in records),
    )


def _check(config: Config, key: str, values: Range, own: Plan, method: str) -> None:
    """Raises BenchError when a value of the range is not allowed for ``key``, or ``method`` does not depend on it."""
    if (section := key.partition(".")[0]) not in SECTIONS:
        close = nearest(section, SECTIONS)
        raise BenchError(
            f"--param {key}: what is searched is an option of a method, methods.NAME.FIELD"
            + (f"; did you mean {close}.{key.partition('.')[2]}?" if close else ".")
        )
    try:
        keys_at_corners = {tuple(_plan(config, {key: corner}).cells.values()) for corner in values.corners()}
    except BenchError as error:
        raise BenchError(f"--param {f'{key}={values.text}'!r}: {error}") from error.__cause__
    if keys_at_corners == {tuple(own.cells.values())}:
        named = key.split(".")[1 if section == "methods" else 2 :]
        instead = ".".join(["methods", method, *named[1:]])
        raise BenchError(f"--param {key} changes nothing that {method} does on these datasets. Did you mean {instead}?")


def _plan(config: Config, values: dict[str, Any]) -> Plan:
    return make_plan(resolve(changed(config, values)))


def _current(study: Study, key: str, method: str) -> Any:
    """The study's own value of a searched key, on its first dataset unless the key names one; None if it has none."""
    section, *path = key.split(".")
    dataset = path.pop(0) if section == "per_dataset" else study.config.grid.datasets[0]
    value: Distiller | Any = study.methods.get((dataset, method))
    for name in path[1:]:
        places = fields_named(value, name) if is_dataclass(value) else []
        for part in places[0] if len(places) == 1 else (name,):
            value = getattr(value, part, type(value).__name__ if part == "type" else None)
    return describe(value)
