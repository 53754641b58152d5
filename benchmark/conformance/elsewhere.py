"""Distilling in another process, which has other hash values, another order of sets, and no state in memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ddbench.config.schema import Config

OTHER_HASHES = "20261"
"""PYTHONHASHSEED of the other process"""

Asked = tuple[int, int]
"""(ipc, seed)"""


class Failed(Exception):
    """The other process could not make the sets; the last line of its stderr."""


def digests_elsewhere(config: Config, asked: Sequence[Asked]) -> dict[str, dict[Asked, str]]:
    """Method -> digests of the sets that a new process distils from the sample. Raises Failed."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "digests.json")
        task = {"config": config.model_dump(mode="json"), "asked": list(asked), "answer": str(answer)}
        here = os.pathsep.join(path for path in sys.path if path)
        environment = {**os.environ, "PYTHONHASHSEED": OTHER_HASHES, "PYTHONPATH": here}
        command = [sys.executable, "-m", "ddbench.conformance.elsewhere"]
        done = subprocess.run(command, input=json.dumps(task), capture_output=True, text=True, env=environment)
        if not answer.is_file():
            raise Failed((done.stderr.strip().splitlines() or [f"it ended with exit code {done.returncode}"])[-1])
        by_method = json.loads(answer.read_text())
        return {name: dict(zip(asked, digests, strict=True)) for name, digests in by_method.items()}


def _main() -> None:
    from ddbench.config.study import resolve
    from ddbench.conformance.under_test import MethodUnderTest, sample_of

    task = json.load(sys.stdin)
    study = resolve(Config.model_validate(task["config"]))
    (dataset,) = study.datasets.values()
    real, digests = sample_of(dataset), {}
    for (_, name), method in study.methods.items():
        with tempfile.TemporaryDirectory() as folder:
            subject = MethodUnderTest(method, real, study.networks, Path(folder))
            digests[name] = [subject.distil(ipc, seed).digest() for ipc, seed in task["asked"]]
    Path(task["answer"]).write_text(json.dumps(digests))


if __name__ == "__main__":
    _main()
