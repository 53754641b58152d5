"""The table of a run that is under way, fitted to a terminal: as many rows as there is room for."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console, Group
from rich.segment import Segment, Segments
from rich.text import Text

from ddbench.api.board import Board, Row, caption_of
from ddbench.api.terminal import fits, fitted

LEAST = 4
"""lines; with less room no table is shown"""


class LiveTable:
    """A board as lines of a terminal. It is laid out again only when the board or the size of the terminal changed."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._of: tuple[int, ...] = ()
        self._lines: list[list[Segment]] = []

    def lines(self, console: Console, height: int) -> Segments:
        """At most ``height`` lines. In the layout of the main table, or with methods as rows where that is too wide."""
        now = (self._board.changes, console.width, height)
        if now != self._of:
            self._of, self._lines = now, self._fitted(console, height)
        return Segments([segment for line in self._lines for segment in (*line, Segment.line())])

    def _fitted(self, console: Console, height: int) -> list[list[Segment]]:
        if height < LEAST:
            return []
        turned = not all(fits(table, console) for table in self._board.widest())
        ranked = self._board.by_interest(turned)
        n = min(len(ranked), height)
        while n:
            lines = console.render_lines(self._shown(console, turned, ranked, n), console.options, pad=False)
            if len(lines) <= height:
                return lines
            n -= 1
        return []

    def _shown(self, console: Console, turned: bool, ranked: list[Row], n: int) -> Group:
        """The tables with the first ``n`` rows of ``ranked``, and a line about the others."""
        kept, others = set(ranked[:n]), ranked[n:]
        parts, told = [], []
        for number, table in enumerate(self._board.tables(turned)):
            rows = tuple(table.rows[row.row] for row in self._board.rows(turned) if row.table == number and row in kept)
            if rows:
                told.append(rows)
                parts += fitted(replace(table, rows=rows), console)
        caption = caption_of(told)
        if others:
            complete = sum(map(self._board.is_complete, others))
            caption = f"{caption} {len(others)} more rows, {complete} complete."
        return Group(*parts, Text(caption, style="dim"))
