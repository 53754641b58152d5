"""Running a data stage: every image of both splits is read and compared, before anything is trained on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ddbench.data.invalid import SHOWN, InvalidData
from ddbench.errors import BenchError
from ddbench.stages.inputs import StageCost, about, dataset_of, judged_view, load_split, timed
from ddbench.store.folder import Store

if TYPE_CHECKING:
    from ddbench.plan.graph import Stage

DATA_FILE = "data.json"


def check_data(stage: Stage, store: Store) -> None:
    """Check the dataset of a stage and write what was counted as its artifact.

    Raises BenchError for what cannot be used; where it is more than a message holds, the log has all of it.
    """
    dataset, view, cost = dataset_of(stage), judged_view(stage), StageCost()
    split = stage.task["judged"]["split"]
    try:
        with timed(cost):
            counts = dataset.check(split, view, store.cache)
            load_split(dataset, split, store.cache, view)
            load_split(dataset, "train", store.cache)
    except InvalidData as error:
        print(*error.lines, sep="\n")
        if len(error.lines) > SHOWN:
            raise BenchError(f"{error} `bench data {dataset.name}` and the log of this stage list all.") from None
        raise
    text = json.dumps(counts, indent=1)
    store.write("data", stage.key, lambda folder: _write(folder / DATA_FILE, text), about(stage, cost))


def found_by_check(store: Store, stage: Stage) -> dict[str, int]:
    """What the data stage before ``stage`` counted; empty where there is none."""
    counts: dict[str, int] = {}
    for key in stage.after:
        if store.exists("data", key):
            counts |= json.loads((store.read("data", key) / DATA_FILE).read_text())
    return counts


def _write(path: Path, text: str) -> None:
    path.write_text(text)
