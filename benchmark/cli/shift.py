"""``bench shift``: how far distilled sets are from the real distribution, how diverse, and how near to copies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ddbench.cli.table import store_option

if TYPE_CHECKING:
    from ddbench.plan.shift import ShiftPlan
    from ddbench.results.shift import Measurement
    from ddbench.store.folder import Store
    from ddbench.types import Preparation

SPACES = {"trained": "ddbench.methods.embedder:TrainedEmbedder", "pixels": None}
"""name -> where its preparation is; None for the pixels as they are"""


@click.command()
@store_option
@click.option(
    "--space",
    default="trained",
    show_default=True,
    help="Feature space: trained (on the train split), pixels, or MODULE:CLASS of a preparation of your own.",
)
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="An option of the space, dotted.")
@click.option("--format", "form", type=click.Choice(["md", "csv", "json"]), default="md", show_default=True)
@click.option(
    "--executor",
    type=click.Choice(["auto", "inline", "ray"]),
    default="auto",
    show_default=True,
    help="As of `bench run`.",
)
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def shift(store: Path, space: str, assignments: tuple[str, ...], form: str, executor: str, debug: bool) -> int:
    """Measure the distribution shift of every distilled set that a run asked for, and print it.

    What is measured once is kept. Exit code 1 when some of the sets have not been made or could not be measured.
    """
    from ddbench.api.progress import make_display
    from ddbench.api.run import make_backend
    from ddbench.cli.streams import stdout_kept
    from ddbench.execute.missing import shift_to_run
    from ddbench.execute.schedule import walk
    from ddbench.results.shift import SHIFT_FORMATS, shift_blocks
    from ddbench.store.opening import open_store

    preparation = space_of(space, assignments)
    opened = open_store(store, create=False)
    with stdout_kept() as stdout:
        found = _plan(opened, preparation)
        failed: dict[str, str] = {}
        with make_display(debug, opened.how_far) as display:
            to_run = shift_to_run(found, opened, display)
            if to_run:
                backend = make_backend(executor, opened, len(to_run))
                try:
                    summary = walk(found.plan, opened, to_run, backend, display)
                finally:
                    backend.close()
                failed = {stage.key: f"{stage.kind} {stage.label}: {reason}" for stage, reason in summary.failures}
        measured = _measurements(opened, found, preparation, space, failed)
        stdout.write(SHIFT_FORMATS[form](shift_blocks(measured)))
    for m in measured:
        if m.measures is None:
            click.echo(f"bench: {m.dataset}/{m.method}/ipc{m.ipc}/seed{m.seed}: {m.note}", err=True)
    return int(any(m.measures is None for m in measured))


def load_shift(store: Store, space: str = "trained", assignments: tuple[str, ...] = ()) -> list[Measurement]:
    """What ``bench shift`` with these options has measured on a store so far, in the order of its table.

    Sets that are not measured are there too, with ``measures`` None and the reason. Computes nothing.
    Raises BenchError for an unknown space or option.
    """
    preparation = space_of(space, assignments)
    return _measurements(store, _plan(store, preparation), preparation, space, {})


def space_of(name: str, assignments: tuple[str, ...]) -> Preparation | None:
    """The preparation that makes the feature space ``name``, None for pixels. Raises BenchError."""
    import importlib

    from ddbench.config.schema import read_assignment
    from ddbench.config.values import nested, override
    from ddbench.errors import BenchError, unknown
    from ddbench.types import Preparation

    reference = SPACES.get(name, name)
    if reference is None:
        if assignments:
            raise BenchError(f"the space {name!r} has no options; --set {assignments[0]} is for another --space.")
        return None
    module, colon, attribute = reference.partition(":")
    if not colon:
        raise unknown("space", name, SPACES, hint="Your own is given as --space MODULE:CLASS.")
    try:
        made: Any = getattr(importlib.import_module(module), attribute)
        preparation = made() if isinstance(made, type) else made
    except Exception as error:
        raise BenchError(f"the space {name!r} cannot be imported: {type(error).__name__}: {error}.") from error
    if not isinstance(preparation, Preparation):
        raise BenchError(f"the space {name!r} is a {type(preparation).__name__}, not a Preparation.")
    for assignment in assignments:
        key, change = read_assignment(assignment, "epochs=20")
        preparation = override(preparation, nested(key.split("."), change), f"space {name}")
    return preparation


def _plan(store: Store, preparation: Preparation | None) -> ShiftPlan:
    from ddbench.evaluators.shift.measure import Shift
    from ddbench.plan.shift import plan_shift

    return plan_shift(store, preparation, Shift())


def _measurements(
    store: Store, found: ShiftPlan, preparation: Preparation | None, space: str, failed: dict[str, str]
) -> list[Measurement]:
    """A measurement for each set asked for, real draws first."""
    from ddbench.errors import CorruptArtifact
    from ddbench.plan.shift import REAL
    from ddbench.results.shift import Measurement
    from ddbench.stages.shift import read_shift

    named = f"{space} ({_options(preparation)})" if preparation else space
    rows = []
    for wanted in sorted([*found.keys, *found.absent], key=lambda w: w.method != REAL):
        key, measures, note = found.keys.get(wanted, ""), None, found.absent.get(wanted, "")
        if key:
            behind = [failed[k] for k in (*found.plan.stages[key].parents, key) if k in failed]
            try:
                measures = read_shift(store, key) if store.has("shift", key) else None
                note = (behind or ["not measured yet; `bench shift` does it"])[0]
            except CorruptArtifact as error:
                note = str(error)
        place = (wanted.dataset, wanted.split, wanted.ipc, wanted.method, wanted.seed)
        rows.append(Measurement(*place, named, measures, "" if measures else note, found.variants.get(wanted, {})))
    return rows


def _options(preparation: Preparation) -> str:
    """``network convnet3, epochs 20, ...``"""
    import dataclasses

    return ", ".join(f"{f.name} {getattr(preparation, f.name)}" for f in dataclasses.fields(preparation))
