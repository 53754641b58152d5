"""Running ``bench``: in this process, where torch is imported already, or in one of its own, seconds slower."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


def invoke(*arguments: object) -> Done:
    """What ``bench arguments...`` exits with and writes to the file descriptors 1 and 2."""
    from ddbench.cli.main import main

    with tempfile.TemporaryDirectory() as folder:
        paths = {number: Path(folder, str(number)) for number in (1, 2)}
        with mock.patch.object(sys, "argv", ["bench", *map(str, arguments)]), _descriptors(paths):
            try:
                main()
                code = 0
            except SystemExit as stop:
                code = int(stop.code or 0)
        return Done(code, paths[1].read_text(), paths[2].read_text())


def own_process(
    *arguments: object, cwd: str | Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """``bench arguments...`` in a new process, for what must not share one: Ray Tune mistakes the actors of a process
    that has had other Ray clusters."""
    command = [sys.executable, "-m", "ddbench.cli.main", *map(str, arguments)]
    variables = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, timeout=240, cwd=cwd, env=variables)


@contextmanager
def _descriptors(paths: dict[int, Path]) -> Iterator[None]:
    """Descriptors 1 and 2, and Python's streams on them, go to files."""
    kept = {number: os.dup(number) for number in paths}
    streams = {1: sys.stdout, 2: sys.stderr}
    try:
        for number, path in paths.items():
            streams[number].flush()
            file = os.open(path, os.O_WRONLY | os.O_CREAT)
            os.dup2(file, number)
            os.close(file)
        with (
            os.fdopen(1, "w", closefd=False) as out,
            os.fdopen(2, "w", closefd=False) as err,
            mock.patch.object(sys, "stdout", out),
            mock.patch.object(sys, "stderr", err),
        ):
            yield
    finally:
        for number, descriptor in kept.items():
            os.dup2(descriptor, number)
            os.close(descriptor)
