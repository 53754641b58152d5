"""Process-wide settings of Python and the operating system: how each is read, put back and named in a message."""

from __future__ import annotations

import contextlib
import gc
import locale
import os
import random
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGHUP)
"""signals on which stops and time limits rest"""


def from_to(before: Any, after: Any) -> str:
    """A change as text."""
    return f"{before} -> {after}"


@dataclass(frozen=True)
class Setting:
    """One setting. ``read`` returns values that compare with ``==``, or None where there is nothing to read yet, as of
    a GPU that is not in use; ``restore`` takes such a value."""

    name: str
    read: Callable[[], Any]
    restore: Callable[[Any], None]
    tell: Callable[[Any, Any], str] = from_to
    """(before, after) -> the change as text; no value that may be a secret"""
    library: str = ""
    """read only while this package is imported: a process without torch stays without it"""
    by_imports: bool = False
    """whether installed libraries change it while they are imported, once a process, which is no change of a stage.
    Its value is a mapping or a list"""
    by_thread: bool = False
    """whether each thread has its own"""


def _folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 (Path.cwd() is this and an object)
    except FileNotFoundError:
        return None


def _to_folder(folder: str | None) -> None:
    if folder is not None:
        os.chdir(folder)


def _umask() -> int | None:
    """The umask without setting it, which would be seen by other threads; None where the kernel does not tell."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    except OSError:
        pass
    return None


def _to_umask(mask: int | None) -> None:
    if mask is not None:
        os.umask(mask)


def _to_environment(before: Mapping[str, str]) -> None:
    for name in [name for name in os.environ if name not in before]:
        del os.environ[name]
    for name, value in before.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


def _to_filters(before: Sequence[Any]) -> None:
    warnings.resetwarnings()  # the one public call that also forgets which warnings were shown under other filters
    warnings.filters[:] = before  # type: ignore[index]


def _handlers() -> dict[str, Any]:
    return {number.name: signal.getsignal(number) for number in HANDLED}


def _to_handlers(before: Mapping[str, Any]) -> None:
    if threading.current_thread() is not threading.main_thread():
        return
    for name, handler in before.items():
        if handler is not None and signal.getsignal(signal.Signals[name]) is not handler:
            signal.signal(signal.Signals[name], handler)


def names_changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """``A added, B changed, C removed``: names alone, since values may be secrets."""
    parts = [f"{name} added" for name in after if name not in before]
    parts += [f"{name} changed" for name in after if name in before and before[name] != after[name]]
    return ", ".join([*parts, *(f"{name} removed" for name in before if name not in after)])


def _entries_changed(before: Sequence[Any], after: Sequence[Any]) -> str:
    added, removed = len([x for x in after if x not in before]), len([x for x in before if x not in after])
    parts = [f"{n} {what}" for n, what in ((added, "added"), (removed, "removed")) if n]
    return ", ".join(parts) or "in another order"


def drawn(before: Any, after: Any) -> str:
    """The change of a generator as text."""
    return "drawn from or seeded"


def _to_collection(on: bool) -> None:
    (gc.enable if on else gc.disable)()


def _time_zone(_: Any) -> None:
    with contextlib.suppress(AttributeError):
        time.tzset()  # from TZ, which was put back with the environment


def _to_path(before: Sequence[str]) -> None:
    sys.path[:] = before


def _to_locale(before: str) -> None:
    locale.setlocale(locale.LC_ALL, before)


def _masks(before: int, after: int) -> str:
    return f"{before:03o} -> {after:03o}"


def _changed(before: Any, after: Any) -> str:
    return "changed"


PYTHON: tuple[Setting, ...] = (
    Setting("environment", lambda: dict(os.environ), _to_environment, names_changed, by_imports=True),
    Setting("time zone", lambda: time.tzname, _time_zone),
    Setting("working folder", _folder, _to_folder, _changed),
    Setting("umask", _umask, _to_umask, _masks),
    Setting("locale", lambda: locale.setlocale(locale.LC_ALL), _to_locale),
    Setting("sys.path", lambda: list(sys.path), _to_path, _entries_changed, by_imports=True),
    Setting("warnings filters", lambda: list(warnings.filters), _to_filters, _entries_changed, by_imports=True),
    Setting("signal handlers", _handlers, _to_handlers, names_changed, by_imports=True),
    Setting("recursion limit", sys.getrecursionlimit, sys.setrecursionlimit),
    Setting("garbage collection", gc.isenabled, _to_collection),
    Setting("generator of random", random.getstate, random.setstate, drawn),
)
"""in the order in which they are put back"""
