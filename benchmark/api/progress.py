"""Showing progress: a live display on a terminal or in a notebook, plain lines on stderr elsewhere."""

from __future__ import annotations

import html
import io
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ddbench.config.schema import STAGE_KINDS
from ddbench.execute.observer import Observer
from ddbench.plan.graph import Stage
from ddbench.stages.run import StageResult


@contextmanager
def make_display(debug: bool, how_far: Callable[[str], float | None]) -> Iterator[Observer]:
    """A display for the terminal, notebook or file. ``how_far(key)``: the fraction of a running stage that is done.

    It writes to a duplicate of the descriptor of stderr, which is redirected to the log of a stage that runs in this
    process.
    """
    if shows_html():
        yield Notebook(debug)
        return
    with os.fdopen(os.dup(2), "w", buffering=1) as stderr:
        console = Console(file=stderr, highlight=False)
        if not console.is_terminal:
            yield Lines(debug, stderr)
            return
        display = Display(console, debug, how_far)
        with Live(get_renderable=display.render, console=console, refresh_per_second=4, transient=True):
            yield display


class _Clock:
    """Counts the stages of a run, and estimates the time left from the mean time of each kind of stage."""

    def __init__(self) -> None:
        self.total: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self.timed: Counter[str] = Counter()
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.under_way: dict[str, tuple[Stage, float]] = {}
        self.began = time.monotonic()
        self.most_at_once = 1

    def begin(self, to_run: list[Stage]) -> None:
        self.total.update(stage.kind for stage in to_run)

    def start(self, stage: Stage) -> None:
        self.under_way[stage.key] = (stage, time.monotonic())
        self.most_at_once = max(self.most_at_once, len(self.under_way))

    def finish(self, stage: Stage, result: StageResult) -> None:
        self.under_way.pop(stage.key, None)
        self.done[stage.kind] += 1
        self.timed[stage.kind] += result.seconds > 0  # 0 when another driver made it or it could not run
        self.seconds[stage.kind] += result.seconds

    def remaining(self) -> str:
        """``1:20``, or ``at least 1:20`` while some kind of stage has not been timed yet."""
        left, known = 0.0, True
        for kind, total in self.total.items():
            if self.timed[kind]:
                left += (total - self.done[kind]) * self.seconds[kind] / self.timed[kind]
            elif total:
                known = False
        text = _minutes(left / self.most_at_once)
        return text if known else f"at least {text}" if left else "unknown"


class Lines(Observer):
    """Prints a line for each stage that ends."""

    def __init__(self, debug: bool, stream: TextIO) -> None:
        self.debug, self.stream = debug, stream
        self.clock = _Clock()

    def begin(self, to_run: list[Stage]) -> None:
        self.clock.begin(to_run)
        if to_run:
            counts = ", ".join(f"{self.clock.total[kind]} {kind}" for kind in STAGE_KINDS if self.clock.total[kind])
            self.say(f"{len(to_run)} stages to run: {counts}")

    def started(self, stage: Stage) -> None:
        self.clock.start(stage)

    def finished(self, stage: Stage, result: StageResult) -> None:
        self.clock.finish(stage, result)
        how = f"{result.outcome.upper()}: {result.reason}"
        if result.outcome == "ok":
            how = result.reason or f"{result.seconds:.1f} s"
        count = f"{self.clock.done.total()}/{self.clock.total.total()}"
        self.say(f"[{count}] {stage.kind} {stage.label}: {how}; left: {self.clock.remaining()}")
        if self.debug and result.traceback:
            self.say(result.traceback)

    def say(self, message: str) -> None:
        print(message, file=self.stream, flush=True)


def shows_html() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return type(shell).__name__ == "ZMQInteractiveShell"


class Notebook(Observer):
    """One output of a notebook cell, updated as stages end; lines about failures stay.

    It does not use the notebook's streams, which are redirected to the log of a stage that runs in this process.
    """

    def __init__(self, debug: bool) -> None:
        self.lines = Lines(debug, io.StringIO())
        self.said: list[str] = []
        self.handle: Any = None

    def begin(self, to_run: list[Stage]) -> None:
        self.lines.begin(to_run)
        self._show()

    def started(self, stage: Stage) -> None:
        self.lines.started(stage)

    def finished(self, stage: Stage, result: StageResult) -> None:
        self.lines.finished(stage, result)
        if result.outcome != "ok":
            self.said.append(self._last())
        self._show()

    def say(self, message: str) -> None:
        self.said.append(message)
        self._show()

    def _last(self) -> str:
        written = self.lines.stream.getvalue()  # type: ignore[attr-defined]
        return (written.splitlines() or [""])[-1]

    def _show(self) -> None:
        from IPython.display import HTML, DisplayHandle

        text = "\n".join(filter(None, [*self.said, self._last()]))
        if not text:
            return
        output = HTML(f"<pre>{html.escape(text)}</pre>")
        if self.handle is None:
            self.handle = DisplayHandle()
            self.handle.display(output)
        else:
            self.handle.update(output)


class Display(Observer):
    """A live block with a bar for each kind of stage and the running stages; failures scroll above it."""

    def __init__(self, console: Console, debug: bool, how_far: Callable[[str], float | None]) -> None:
        self.console = console
        self.how_far = how_far
        self.debug = debug
        self.clock = _Clock()

    def begin(self, to_run: list[Stage]) -> None:
        self.clock.begin(to_run)

    def started(self, stage: Stage) -> None:
        self.clock.start(stage)

    def finished(self, stage: Stage, result: StageResult) -> None:
        self.clock.finish(stage, result)
        if result.outcome != "ok":
            self.say(f"{result.outcome}: {stage.kind} {stage.label}: {result.reason}")
            if self.debug and result.traceback:
                self.say(result.traceback)

    def say(self, message: str) -> None:
        self.console.print(Text(message, style="red"))

    def note(self, message: str) -> None:
        self.console.print(Text(message, style="dim"))

    def render(self) -> Any:
        from rich.progress_bar import ProgressBar

        clock, shown = self.clock, Table.grid(padding=(0, 1))
        for kind in STAGE_KINDS:
            if clock.total[kind]:
                done, total = clock.done[kind], clock.total[kind]
                shown.add_row(Text(kind, style="bold"), ProgressBar(total, done, width=30), Text(f"{done}/{total}"))
        now = time.monotonic()
        for stage, since in list(clock.under_way.values()):
            share = self.how_far(stage.key)
            name = f"{stage.kind} {stage.label}" + (f" {share:.0%}" if share is not None else "")
            shown.add_row(Text("  now", style="dim"), Text(name), Text(_minutes(now - since)))
        elapsed = _minutes(now - clock.began)
        shown.add_row("", Text(f"elapsed {elapsed}, left {clock.remaining()}", style="dim"), "")
        return shown


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
