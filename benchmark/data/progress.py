"""Telling whoever sits at the terminal that images are being decoded."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def told(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """``advance(n)`` for a bar of ``total`` on stderr, when stderr is a terminal; else nothing is shown.

    Where a live display has the terminal already, a second one would garble it: a line above it has to do.
    """
    if not sys.stderr.isatty():
        yield lambda n: None
        return
    from rich.console import Console
    from rich.file_proxy import FileProxy
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    if isinstance(sys.stderr, FileProxy):
        print(f"{what}: {total} images, once", file=sys.stderr)
        yield lambda n: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda n: bar.advance(task, n)
