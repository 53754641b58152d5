"""Distilling in another process: in the stages of a run, with other surroundings and no state in memory.

No frame of its call stack belongs to a check, so that a method that looks for one makes there what it makes in a run.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ddbench.config.addresses import addresses_of
from ddbench.config.schema import Threads
from ddbench.config.study import Study
from ddbench.config.values import describe
from ddbench.conformance.raised import Told, place_in
from ddbench.conformance.surroundings import environment, working_folder
from ddbench.conformance.under_test import in_sample
from ddbench.plan.build import make_plan
from ddbench.plan.graph import Plan
from ddbench.store.distilled import load_distilled
from ddbench.store.opening import open_store
from ddbench.types import Dataset, Split

PROGRAM = "from ddbench.conformance.surroundings import enter; enter(); from ddbench.stages.worker import main; main()"

Asked = tuple[int, int]
"""(ipc, seed)"""


def digests_elsewhere(study: Study, asked: Sequence[Asked]) -> dict[str, dict[Asked, str]]:
    """Method -> digests of the sets that a new process distils from the sample of the one dataset of ``study``.

    Raises Told.
    """
    plan = _plan(study, asked)
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder, "store"), create=True)
        stages = [dataclasses.asdict(stage) for stage in plan.stages.values() if stage.kind != "evaluate"]
        answer = _ask({"stages": stages, "store": store.address}, study, Path(folder))
        if failed := answer.get("failed"):
            label, reason, traceback = failed
            raise Told(f"another process, in the stage {label}: {reason}{place_in(traceback)}")
        digests: dict[str, dict[Asked, str]] = {}
        for cell, key in plan.cells.items():
            stage = plan.stages[key]
            if "skipped" in stage.task:
                raise Told(f"its cells are skipped: {stage.task['skipped']}")
            made = load_distilled(store, stage.parents[0]).digest()
            digests.setdefault(cell.method, {})[cell.ipc, cell.seed] = made
        return digests


def splits_elsewhere(study: Study, dataset: Dataset, splits: Sequence[Split]) -> dict[str, list[str]]:
    """Split -> digest of its images and fingerprint, in a new process. Raises Told."""
    task = {
        "dataset": describe(dataset),
        "addresses": addresses_of(dataset),
        "plugins": study.config.plugins,
        "splits": list(splits),
    }
    with tempfile.TemporaryDirectory() as folder:
        found: dict[str, list[str]] = _ask(task, study, Path(folder))["splits"]
        return found


def _plan(study: Study, asked: Sequence[Asked]) -> Plan:
    ((name, dataset),) = study.datasets.items()
    grid = {"ipc": tuple({ipc for ipc, _ in asked}), "seeds": tuple({seed for _, seed in asked})}
    config = study.config.model_copy(
        update={
            "grid": study.config.grid.model_copy(update=grid),
            "device": "cpu",
            "threads": Threads(),
            "class_shards": 1,
        }
    )
    return make_plan(replace(study, config=config, datasets={name: in_sample(dataset)}))


def _ask(task: dict[str, Any], study: Study, folder: Path) -> dict[str, Any]:
    """What another process answers to a task of ``ddbench.stages.worker``. Raises Told."""
    answer = folder / "answer.json"
    here = os.pathsep.join(str(Path(path).absolute()) for path in sys.path if path)
    around = {**environment(folder), "PYTHONPATH": here}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps({**task, "answer": str(answer)}),
        capture_output=True,
        text=True,
        env=around,
        cwd=working_folder(folder, study.config.model_dump(mode="json")),
    )
    if not answer.is_file():
        lines = done.stderr.strip().splitlines() or [f"it ended with exit code {done.returncode}"]
        raise Told(f"another process: {lines[-1]}{place_in(done.stderr)}")
    found: dict[str, Any] = json.loads(answer.read_text())
    return found
