"""One attempt at a stage: its log, its peak memory, and the attempts before it.

The work runs inside ``under_way``; manifests and records take what was measured from ``notes``.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import sys
import traceback
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ddbench import turns
from ddbench.isolation import guard


@dataclass(frozen=True)
class Attempt:
    """An attempt at a stage. ``earlier``: when, where and why each lost attempt before it ended, and its log."""

    id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    number: int = 1
    earlier: tuple[dict[str, Any], ...] = ()
    share: float = 1.0
    """part of a card's memory that it may take"""
    card: int | None = None
    """number of the card that it was given, as its process counts them; None: the first"""
    together: int = 1
    """stages that take turns in its process, with this one"""

    def log(self, key: str) -> str:
        """The log file of the stage ``key``, relative to the root of the store."""
        return f"logs/{key}.{self.id}.log"

    def about(self, key: str) -> dict[str, Any]:
        """This attempt as JSON, for the ``run`` of a record or manifest."""
        about = {"attempt": self.id, "number": self.number, "output": self.log(key), "earlier": list(self.earlier)}
        return about if self.together == 1 else {**about, "together": self.together}


_current: ContextVar[dict[str, Any] | None] = ContextVar("attempt", default=None)


def notes() -> dict[str, Any]:
    """The current attempt of this process: id, number, earlier ones, log, host, process id, peak memory so far, and the
    process-wide state that it changed so far, if any.

    Host and process id alone when no stage is running.
    """
    here = {"host": socket.gethostname(), "process": os.getpid()}
    current = _current.get()
    changed = {"changed_state": changes} if (changes := guard.changes()) else {}
    return {**current, **here, **peaks(), **changed} if current else here


def note(**values: Any) -> None:
    """Add ``values`` to what ``notes`` says of the current attempt."""
    if (current := _current.get()) is not None:
        current |= values


@contextmanager
def under_way(root: Path, key: str, attempt: Attempt, title: str) -> Iterator[None]:
    """Redirect everything that this process prints, native code too, to the attempt's log, and measure peak memory.

    The first line of the log says where and when. The traceback of an exception is logged before it is re-raised.
    """
    path = root / attempt.log(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    token = _current.set(attempt.about(key))
    try:
        with path.open("w", buffering=1) as log, _output_to(log):
            when = datetime.now(UTC).isoformat(timespec="seconds")
            print(f"{socket.gethostname()} process {os.getpid()}, {when}: {title}, attempt {attempt.number}", file=log)
            measure_from_here()
            try:
                yield
            except Exception:
                with contextlib.suppress(OSError):  # a full disk must not hide what went wrong
                    traceback.print_exc(file=log)
                raise
    finally:
        _current.reset(token)


def forget_progress(root: Path, key: str) -> None:
    """Delete the progress that an earlier attempt at the stage reported."""
    (root / "progress" / key).unlink(missing_ok=True)


def where(root: Path, key: str, attempt: Attempt) -> str:
    """Host and process of an attempt, from the first line of its log; empty when there is no log on this machine."""
    try:
        with (root / attempt.log(key)).open() as log:
            return log.readline().partition(",")[0]
    except OSError:
        return ""


@contextmanager
def _output_to(log: Any) -> Iterator[None]:
    """Redirect Python's streams and the descriptors 1 and 2, which native code and child processes use, to ``log``."""
    _flush()
    kept = {number: os.dup(number) for number in (1, 2)}
    try:
        for number in kept:
            os.dup2(log.fileno(), number)
        with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
            yield
    finally:
        _flush()
        for number, descriptor in kept.items():
            os.dup2(descriptor, number)
            os.close(descriptor)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()


def measure_from_here() -> None:
    """Return freed memory to the kernel and reset the recorded peaks of this process; not while stages take turns in
    it, whose peaks cannot be told apart."""
    if turns.taking():
        return
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    # Where the kernel cannot reset it, the peak is that of the whole process: an upper bound.
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    if _cuda_in_use():
        import torch

        torch.cuda.reset_peak_memory_stats()


def peaks() -> dict[str, int]:
    """Peak memory since the stage began, in MiB; of all together where several stages take turns.

    ``peak_memory_mib`` is the kernel's high-water mark of the resident set (VmHWM): libraries and mapped data are
    included, child processes are not. ``peak_gpu_mib`` is the peak of torch's allocations.
    """
    peak_mib: dict[str, int] = {}
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        peak = next(line for line in lines if line.startswith("VmHWM:"))
        peak_mib["peak_memory_mib"] = round(int(peak.split()[1]) / 1024)
    if _cuda_in_use():
        import torch

        peak_mib["peak_gpu_mib"] = round(torch.cuda.max_memory_allocated() / 2**20)
    return peak_mib


def _cuda_in_use() -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and torch.cuda.is_initialized()
