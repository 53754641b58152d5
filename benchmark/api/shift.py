"""Distribution shift: measuring the distilled sets of a store, and reading the measures."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ddbench.api.copies import copies_of
from ddbench.api.outline import recorded_costs
from ddbench.api.progress import make_display
from ddbench.api.run import Execution, run_stages
from ddbench.config.schema import read_assignment, recorded_config
from ddbench.config.values import nested, override
from ddbench.errors import BenchError, CorruptArtifact, unknown
from ddbench.execute.missing import shift_to_run
from ddbench.execute.pace import Pace
from ddbench.execute.watched import Watched
from ddbench.plan.shift import REAL, SetCoordinates, ShiftPlan, plan_shift
from ddbench.plugins.files import absolute, load_plugins
from ddbench.results.shift import Measurement
from ddbench.stages.shift import read_shift
from ddbench.store.folder import Store
from ddbench.store.opening import open_store
from ddbench.types import Preparation, RunStart

SPACES = {"trained": "ddbench.methods.embedder:TrainedEmbedder", "pixels": None}
"""name -> module:class of its preparation; None: pixels"""


def measure_shift(
    where: Path | str,
    space: str = "trained",
    assignments: Sequence[str] = (),
    plugins: Sequence[str] = (),
    how: Execution | None = None,
) -> list[Measurement]:
    """Measure every distilled set that runs on the store ``where`` asked for, in a feature space; all measures.

    Sets that are measured already are not measured again. Stages run with the limits, resources and retries of the
    latest run. Raises BenchError for an unknown space or option, KeyboardInterrupt when a stop was requested.
    """
    how = how or Execution()
    files = absolute(plugins)
    load_plugins(files)
    preparation, store = space_of(space, assignments), open_store(where, create=False)
    planned = _plan(store, preparation, tuple(files))
    failed: dict[str, str] = {}
    watchers = how.resolved_watchers()
    with make_display(how.tracebacks, Pace(store.how_far, recorded_costs(store.address))) as display:
        observer = Watched(display, watchers, RunStart(f"shift in the space {space}", store.address), how.tracebacks)
        to_run = shift_to_run(planned, store, observer)
        if to_run:
            config = recorded_config(store.runs()[-1]["config"])
            summary = run_stages(planned.plan, to_run, store, config, how, observer)
            failed = {stage.key: f"{stage.kind} {stage.label}: {reason}" for stage, reason in summary.failures}
    return _measurements(store, planned, preparation, space, failed)


def plan_of_shift(
    where: Path | str, space: str = "trained", assignments: Sequence[str] = (), plugins: Sequence[str] = ()
) -> tuple[ShiftPlan, list[str]]:
    """What ``measure_shift`` with these options would do, and the keys of the stages that it would run.

    Nothing is measured or written. Raises BenchError for an unknown space or option.
    """
    files = absolute(plugins)
    load_plugins(files)
    preparation, store = space_of(space, assignments), open_store(where, create=False)
    planned = _plan(store, preparation, tuple(files))
    return planned, [*shift_to_run(planned, store)]


def load_shift(store: Store, space: str = "trained", assignments: Sequence[str] = ()) -> list[Measurement]:
    """Read what ``measure_shift`` with these options has measured on a store so far, in the order of its table.

    Sets without measures are included, with ``measures`` None and the reason. Raises BenchError for an unknown space
    or option.
    """
    preparation = space_of(space, assignments)
    return _measurements(store, _plan(store, preparation), preparation, space, {})


def space_of(name: str, assignments: Sequence[str]) -> Preparation | None:
    """The preparation of the feature space ``name``, with ``assignments`` applied; None for pixels. Raises
    BenchError."""
    reference = SPACES.get(name, name)
    if reference is None:
        if assignments:
            raise BenchError(f"the space {name!r} has no options; --set {assignments[0]} is for another --space.")
        return None
    module, colon, attribute = reference.partition(":")
    if not colon:
        raise unknown("space", name, SPACES, hint="Your own is given as --space MODULE:CLASS.")
    try:
        registered: Any = getattr(importlib.import_module(module), attribute)
        preparation = registered() if isinstance(registered, type) else registered
    except Exception as error:
        raise BenchError(f"the space {name!r} cannot be imported: {type(error).__name__}: {error}.") from error
    if not isinstance(preparation, Preparation):
        raise BenchError(f"the space {name!r} is a {type(preparation).__name__}, not a Preparation.")
    for assignment in assignments:
        key, change = read_assignment(assignment, "epochs=20")
        preparation = override(preparation, nested(key.split("."), change), f"space {name}")
    return preparation


def _plan(store: Store, preparation: Preparation | None, plugins: tuple[str, ...] = ()) -> ShiftPlan:
    from ddbench.evaluators.shift.measure import Shift

    return plan_shift(store, preparation, Shift(), plugins)


def _measurements(
    store: Store, planned: ShiftPlan, preparation: Preparation | None, space: str, failed: dict[str, str]
) -> list[Measurement]:
    """A measurement for each set, real draws first."""
    named = f"{space} ({_options(preparation)})" if preparation else space
    rows = []
    for wanted in sorted([*planned.keys, *planned.absent], key=lambda w: w.method != REAL):
        key, measures, note = planned.keys.get(wanted, ""), None, planned.absent.get(wanted, "")
        if key:
            behind = [failed[k] for k in (*planned.plan.stages[key].parents, key) if k in failed]
            try:
                measures = read_shift(store, key) | _judged(planned, wanted) if store.has("shift", key) else None
                note = (behind or ["not measured yet; `bench shift` does it"])[0]
            except CorruptArtifact as error:
                note = str(error)
        place = (wanted.dataset, wanted.split, wanted.ipc, wanted.method, wanted.seed)
        about = "" if measures else note, planned.variants.get(wanted, {})
        rows.append(Measurement(*place, named, measures, *about, words=words_of(preparation, space)))
    return rows


def words_of(preparation: Preparation | None, name: str) -> str:
    """A feature space in words for a heading or a caption; ``name`` where it has no network to speak of."""
    if preparation is None:
        return name
    networks = ", ".join(preparation.networks())
    return f"features of a {networks} trained on the train images" if networks else f"features of {name}"


def _judged(planned: ShiftPlan, wanted: SetCoordinates) -> dict[str, Any]:
    """What the evaluations of a set counted: images that are judged images, or repeated; empty where none did."""
    found = next(filter(None, map(copies_of, planned.records.get(wanted, ()))), None)
    return {**vars(found), "judged": (found.equal + found.near) / found.images} if found else {}


def _options(preparation: Preparation) -> str:
    """``network convnet3, epochs 20, ...``"""
    return ", ".join(f"{f.name} {getattr(preparation, f.name)}" for f in dataclasses.fields(preparation))
