"""What stands around the code of plug-ins: around their import, and around a stage and each part of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ddbench.errors import BenchError
from ddbench.isolation import guard, harness, imports

PATH = "sys.path"
"""a plug-in may add to it when it is imported, since modules beside it may be imported later"""


@contextmanager
def importing(whose: str, package: str) -> Iterator[list[str]]:
    """Within the block the top-level ``package`` of a plug-in is imported. Afterwards the list holds what it changed of
    the state of this process, which is put back.

    Raises BenchError, naming ``whose`` import it was, when it replaced a part of the harness, which is put back too.
    """
    imports.plugin_packages.add(package)
    harness.begin()
    path = list(sys.path)
    changed: list[str] = []
    try:
        with guard.guarded(leaving=(PATH,)) as inner:
            yield changed
    finally:
        changed += inner.changes
        guard.accept(PATH, path, sys.path)
        names = harness.replaced()
    if names:
        raise BenchError(harness.told(names, whose))


_whose: ContextVar[str] = ContextVar("whose", default="")


@contextmanager
def stage(whose: str, changed: list[str]) -> Iterator[None]:
    """Around a stage; afterwards ``changed`` also holds what it changed, however it ended.

    ``whose``: the plug-ins whose code it may run, as text; empty for none, when the harness need not be compared.
    """
    token = _whose.set(whose)
    try:
        with guard.guarded() as inner:
            settle()
            yield
            settle()
    finally:
        _whose.reset(token)
        if whose:
            inner.changes += [f"replaced {name}" for name in harness.replaced()]
        changed += inner.changes


def settle() -> None:
    """After a part of a stage that ran the code of a plug-in: what it changed is put back.

    Raises BenchError when it replaced a part of the harness.
    """
    guard.put_back()
    if (whose := _whose.get()) and (names := harness.replaced()):
        raise BenchError(harness.told(names, whose))
