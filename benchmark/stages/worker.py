"""A process that runs stages in order, as a worker of a run does: a task as JSON on stdin, the answer in a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ddbench.plan.graph import Stage
from ddbench.plugins.files import load_plugins
from ddbench.stages.inputs import dataset_at, load_split
from ddbench.stages.run import run_stage


def main() -> None:
    """Run ``stages`` in ``store``, in order, up to the first that fails; or load the ``splits`` of a ``dataset``.

    Into the file ``answer`` goes the failure, ``{"failed": [label, reason, traceback]}``, or what was loaded: for each
    split the digest of its images and its fingerprint.
    """
    task = json.load(sys.stdin)
    answer: dict[str, Any] = {}
    for described in task.get("stages", ()):
        stage = Stage(**{**described, **{name: tuple(described[name]) for name in ("parents", "after", "plugins")}})
        result = run_stage(stage, task["store"])
        if result.outcome != "ok":
            answer["failed"] = [f"{stage.kind} {stage.label}", result.reason, result.traceback]
            break
    if "dataset" in task:
        load_plugins(task["plugins"])
        dataset = dataset_at(task["dataset"], task["addresses"], {})
        answer["splits"] = {s: [load_split(dataset, s).digest(), dataset.fingerprint(s)] for s in task["splits"]}
    Path(task["answer"]).write_text(json.dumps(answer))
