"""Running a shift stage: it writes the measures of one distilled set, or of a real draw, to shift.json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddbench.config.values import build, plain
from ddbench.errors import CorruptArtifact
from ddbench.keys import digest
from ddbench.stages.inputs import about, context_of, dataset_of, load_state, timed
from ddbench.store.distilled import load_distilled
from ddbench.store.folder import Store

if TYPE_CHECKING:
    from ddbench.plan.graph import Stage

SHIFT_FILE = "shift.json"


def measure_shift(stage: Stage, store: Store) -> None:
    """Measure and write the artifact of a shift stage.

    Raises CorruptArtifact for a damaged feature space, which is in the plan and made again, and ValueError for a
    damaged set or prior, which only the run that asked for it can make.
    """
    task = stage.task
    cost, context = context_of(stage, store, seed=0)
    real = dataset_of(stage).load("train", store.cache)
    measure = build(plain(task["measure"]), stage.addresses)
    held_out = None
    if "draw" in task:
        distilled, held_out = measure.draw(real, **task["draw"])
    else:
        with _made_by_a_run():
            distilled = load_distilled(store, task["distilled"])
    space = load_state(store, task["state"], tuple(task["chain"]), context, stage.addresses)
    with _made_by_a_run():
        prior = None
        if "prior" in task:
            prior = load_state(store, [task["prior"]], (task["prior_key"],), context, stage.addresses)
    with timed(cost):
        measures = measure.measure(
            distilled,
            real,
            space.features if space else None,
            digest(task["chain"]),
            prior.encoder if prior else None,
            context,
            held_out,
        )
    text = json.dumps(measures, indent=1, allow_nan=False)
    store.write("shift", stage.key, lambda folder: _write(folder / SHIFT_FILE, text), about(stage, cost))
    store.clear_scratch(stage.key)


def read_shift(store: Store, key: str) -> dict[str, Any]:
    """The measures that ``measure_shift`` wrote. Raises CorruptArtifact."""
    measures: dict[str, Any] = json.loads((store.read("shift", key) / SHIFT_FILE).read_text())
    return measures


@contextmanager
def _made_by_a_run() -> Iterator[None]:
    try:
        yield
    except CorruptArtifact as error:
        raise ValueError(f"{error}; the `bench run` that asked for it makes it again") from None


def _write(path: Path, text: str) -> None:
    path.write_text(text)
