"""A progress bar for decoding images."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def told(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """``advance(n)`` of a bar with ``total`` steps on stderr, if stderr is a terminal; otherwise nothing is shown.

    Above a live display, which a second one would garble, a line is printed instead.
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
