"""Showing progress: a live display on a terminal or in a notebook, plain lines on stderr elsewhere."""

from __future__ import annotations

import html
import io
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ddbench.api.board import Board
from ddbench.api.live import LiveTable
from ddbench.config.schema import STAGE_KINDS
from ddbench.execute.observer import Observer
from ddbench.execute.pace import Pace, UnderWay, minutes
from ddbench.execute.summary import Summary
from ddbench.plan.graph import Stage
from ddbench.results.tables.html import as_html
from ddbench.stages.run import StageResult
from ddbench.types import Record

QUIET = 30.0
"""seconds without a line after which the plain display says how far the stages under way are"""


@contextmanager
def make_display(debug: bool, pace: Pace, board: Board | None = None, announced: bool = False) -> Iterator[Observer]:
    """A display for the terminal, notebook or file; ``board``: the table that it shows as it fills.

    announced: whether the numbers of stages have been told already. It writes to a duplicate of the descriptor of
    stderr, which is redirected to the log of a stage that runs in this process.
    """
    if shows_html():
        notebook = Notebook(debug, pace, board)
        with _every(1.0, notebook.refresh):
            yield notebook
        return
    with os.fdopen(os.dup(2), "w", buffering=1) as stderr:
        console = Console(file=stderr, highlight=False)
        if not console.is_terminal:
            lines = Lines(debug, stderr, pace, announced)
            with _every(1.0, lines.look):
                yield lines
            return
        display = Display(console, debug, pace, board)
        with Live(get_renderable=display.render, console=console, refresh_per_second=4, transient=True):
            yield display


@contextmanager
def _every(seconds: float, call: Callable[[], None]) -> Iterator[None]:
    """Within the block, call ``call`` every so often from a thread: a stage may hold the main one for hours."""
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(seconds):
            call()

    thread = threading.Thread(target=repeat, name="bench-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class Lines(Observer):
    """Prints a line for each stage that ends, and one for those under way when nothing ended for a while."""

    def __init__(self, debug: bool, stream: TextIO, pace: Pace, announced: bool = False) -> None:
        self.debug, self.stream, self.pace, self.announced = debug, stream, pace, announced
        self.said = time.monotonic()

    def begin(self, to_run: list[Stage]) -> None:
        self.pace.begin(to_run)
        if to_run and not self.announced:
            self.say(stages_in_words(to_run))

    def started(self, stage: Stage) -> None:
        self.pace.start(stage)

    def finished(self, stage: Stage, result: StageResult) -> None:
        self.pace.finish(stage, result)
        how = f"{result.outcome.upper()}: {result.reason}"
        if result.outcome == "ok":
            how = result.reason or f"{result.seconds:.1f} s"
        count = f"{self.pace.done.total()}/{self.pace.total.total()}"
        self.say(f"[{count}] {stage.kind} {stage.label}: {how}; left: {self.pace.remaining()}")
        if self.debug and result.traceback:
            self.say(result.traceback)

    def look(self) -> None:
        """Say how far the stages under way are, unless a line was printed lately."""
        under_way = self.pace.look()
        if under_way and time.monotonic() - self.said >= QUIET:
            told = "; ".join(in_words(one, left) for one, left in under_way[:3])
            more = f"; and {len(under_way) - 3} more" if len(under_way) > 3 else ""
            self.say(f"under way: {told}{more}; left: {self.pace.remaining()}")

    def say(self, message: str) -> None:
        self.said = time.monotonic()
        print(message, file=self.stream, flush=True)


def stages_in_words(stages: Iterable[Stage]) -> str:
    """``3 stages to run: 1 prior, 2 fit``"""
    kinds = Counter(stage.kind for stage in stages)
    number = kinds.total()
    counts = ", ".join(f"{kinds[kind]} {kind}" for kind in STAGE_KINDS if kinds[kind])
    return f"{number} stage{'s' * (number != 1)} to run: {counts}"


def in_words(one: UnderWay, left: float | None) -> str:
    """``fit digits/rsm/fit 41% after 0:30, 0:43 left``"""
    share = f" {one.share:.0%}" if one.share is not None else ""
    rest = f", {minutes(left)} left" if left is not None else ""
    return f"{one.stage.kind} {one.stage.label}{share} after {minutes(time.monotonic() - one.since)}{rest}"


def shows_html() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return type(shell).__name__ == "ZMQInteractiveShell"


class Notebook(Observer):
    """One output of a notebook cell, updated while stages run; lines about failures stay.

    It does not use the notebook's streams, which are redirected to the log of a stage that runs in this process.
    """

    def __init__(self, debug: bool, pace: Pace, board: Board | None = None) -> None:
        self.lines = Lines(debug, io.StringIO(), pace)
        self.board = board
        self.said: list[str] = []
        self.handle: Any = None
        self.shown = ""

    @property
    def wants_records(self) -> bool:
        return self.board is not None

    def begin(self, to_run: list[Stage]) -> None:
        self.lines.begin(to_run)
        self._show()

    def started(self, stage: Stage) -> None:
        self.lines.started(stage)
        if self.board:
            self.board.started(stage)

    def finished(self, stage: Stage, result: StageResult) -> None:
        self.lines.finished(stage, result)
        if self.board:
            self.board.finished(stage, result)
        if result.outcome != "ok":
            self.said.append(self._last())
        self._show()

    def record(self, record: Record) -> None:
        if self.board:
            self.board.add([record])

    def end(self, summary: Summary) -> None:
        self._show()

    def refresh(self) -> None:
        """Show how far the stages under way are."""
        told = [in_words(one, left) for one, left in self.lines.pace.look()]
        if told:
            self._show(f"under way: {'; '.join(told)}")

    def say(self, message: str) -> None:
        self.said.append(message)
        self._show()

    def _last(self) -> str:
        written = self.lines.stream.getvalue()  # type: ignore[attr-defined]
        return (written.splitlines() or [""])[-1]

    def _show(self, under_way: str = "") -> None:
        from IPython.display import HTML, DisplayHandle

        text = "\n".join(filter(None, [*self.said, self._last(), under_way]))
        if not text:
            return
        table = as_html(self.board.tables(turned=False)) if self.board and self.lines.pace.total else ""
        shown = f"{table}<pre>{html.escape(text)}</pre>"
        if shown == self.shown:
            return
        self.shown = shown
        if self.handle is None:
            self.handle = DisplayHandle()
            self.handle.display(HTML(shown))
        else:
            self.handle.update(HTML(shown))


class Display(Observer):
    """A live block: the table as it fills, a bar for each kind of stage, and the running stages; failures scroll above
    it."""

    def __init__(self, console: Console, debug: bool, pace: Pace, board: Board | None = None) -> None:
        self.console, self.debug, self.pace, self.board = console, debug, pace, board
        self.table = LiveTable(board) if board else None

    @property
    def wants_records(self) -> bool:
        return self.board is not None

    def begin(self, to_run: list[Stage]) -> None:
        self.pace.begin(to_run)

    def started(self, stage: Stage) -> None:
        self.pace.start(stage)
        if self.board:
            self.board.started(stage)

    def finished(self, stage: Stage, result: StageResult) -> None:
        self.pace.finish(stage, result)
        if self.board:
            self.board.finished(stage, result)
        if result.outcome != "ok":
            self.say(f"{result.outcome}: {stage.kind} {stage.label}: {result.reason}")
            if self.debug and result.traceback:
                self.say(result.traceback)

    def record(self, record: Record) -> None:
        if self.board:
            self.board.add([record])

    def say(self, message: str) -> None:
        self.console.print(Text(message, style="red"))

    def note(self, message: str) -> None:
        self.console.print(Text(message, style="dim"))

    def render(self) -> Any:
        """The block, no higher than the terminal: the table gives way to the bars."""
        if not self.pace.total:
            return Group()  # there is nothing to run
        bars = self._bars()
        if self.table is None:
            return bars
        room = self.console.height - bars.row_count - 1
        return Group(self.table.lines(self.console, room), bars)

    def _bars(self) -> Table:
        from rich.progress_bar import ProgressBar

        pace, shown = self.pace, Table.grid(padding=(0, 1))
        for whole in (True, False, True):  # of a narrow terminal, the label in the middle is cut
            shown.add_column(no_wrap=whole)
        for kind in STAGE_KINDS:
            if pace.total[kind]:
                done, total = pace.done[kind], pace.total[kind]
                shown.add_row(Text(kind, style="bold"), ProgressBar(total, done, width=30), Text(f"{done}/{total}"))
        under_way = pace.look()
        most = max(3, self.console.height // 4)
        for one, left in under_way[:most]:
            name = Text(f"{one.stage.kind} {one.stage.label}", no_wrap=True, overflow="ellipsis")
            share = f"{one.share:.0%} " if one.share is not None else ""
            rest = f", {minutes(left)} left" if left is not None else ""
            past = minutes(time.monotonic() - one.since)
            shown.add_row(Text("  now", style="dim"), name, Text(f"{share}{past}{rest}"))
        if len(under_way) > most:
            shown.add_row("", Text(f"and {len(under_way) - most} more", style="dim"), "")
        elapsed = minutes(time.monotonic() - pace.began)
        last = f"elapsed {elapsed}, left {pace.remaining()}"
        shown.add_row("", Text(last, style="dim", no_wrap=True, overflow="ellipsis"), "")
        return shown
