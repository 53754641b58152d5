"""Tables on a terminal, fitted to its width without breaking a number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TextIO

from ddbench.results.tables import Block, Table, Tabular, method_tables

if TYPE_CHECKING:
    from rich.console import Console, JustifyMethod
    from rich.measure import Measurement
    from rich.table import Table as RichTable
    from rich.text import Text

PROSE = 40
"""characters; a column with a longer text is prose, which may be broken between words"""
NARROW = 24
"""the least width of a column of prose"""
HELD_TOGETHER = re.compile(r"\d+ %|\S+ /|\S+")
"""a word of a heading: ``95 %`` is one, and a slash stays behind what it divides"""
STYLES = {"best": "bold green", "second": "underline"}


def print_terminal(tables: Iterable[Tabular], out: TextIO) -> None:
    """Print tables; repeated values in the leading columns are printed once.

    On a narrow terminal, the main table gets its methods as rows. Any other table gets narrow headings, and columns
    whose value is the same in all rows become a line above it; where that is not enough, its columns continue below,
    with the leading columns again. In a file or pipe, lines are as long as need be.
    """
    from rich.console import Console
    from rich.text import Text

    console = Console(file=out, highlight=False)
    for tabular in tables:
        if not out.isatty():
            console.width = max(80, _longest(_rich(tabular.table()), console))
        turned = isinstance(tabular, Block) and not fits(tabular.table(), console)
        for table in method_tables([tabular]) if isinstance(tabular, Block) and turned else [tabular.table()]:
            for shown in fitted(table, console):
                console.print(shown)
            console.print(Text(table.caption), "\n", sep="", end="")


def fits(table: Table, console: Console) -> bool:
    """Whether the table is no wider than the console."""
    return _width(_rich(table), console) <= console.width


def fitted(table: Table, console: Console) -> list[Text | RichTable]:
    """What to print of a table, in order, so that it fits the console."""
    from rich.text import Text

    whole = _rich(table)
    if _width(whole, console) <= console.width:
        return [whole]
    same, rest = _apart(table)
    parts = [_rich(part, compact=True, titles=_titles(part, console)) for part in _parts(rest, console)]
    return [Text(same), *parts] if same else [*parts]


def _parts(table: Table, console: Console) -> list[Table]:
    """The table cut between columns, each part with the leading columns, which name a row, and as many as fit.

    Columns that belong together stay so where both fit beside the leading ones.
    """

    def fit(places: list[int]) -> bool:
        return _width(_rich(_columns(table, places), compact=True), console) <= console.width

    leading = list(range(min(table.stub + 1, len(table.columns))))
    parts = [leading]
    for n in range(len(leading), len(table.columns)):
        wider = [*parts[-1], n]
        if parts[-1] == leading or fit(wider):
            parts[-1] = wider
            continue
        moved = [*leading, *([n - 1] if table.columns[n].with_previous else []), n]
        if len(moved) > len(leading) + 1 and parts[-1][:-1] != leading and fit(moved):
            parts[-1:] = [parts[-1][:-1], moved]
        else:
            parts.append([*leading, n])
    return [_columns(table, part) for part in parts]


def _titles(table: Table, console: Console) -> list[str]:
    """The headings of a compact table, in as few lines as fit the console: the highest are widened first."""
    from rich.cells import cell_len

    words = [HELD_TOGETHER.findall(column.title) for column in table.columns]
    least = [
        max(map(cell_len, (*said, *(row[n].text for row in table.rows), "")), default=0) for n, said in enumerate(words)
    ]
    shown = [_wrapped(said, width) for said, width in zip(words, least, strict=True)]
    while (most := max(map(len, shown))) > 1:
        wider = [
            _wider(said, len(lines)) if len(lines) == most else lines for said, lines in zip(words, shown, strict=True)
        ]
        if _width(_rich(table, compact=True, titles=["\n".join(lines) for lines in wider]), console) > console.width:
            break
        shown = wider
    return ["\n".join(lines) for lines in shown]


def _wrapped(words: list[str], width: int) -> list[str]:
    """Words in lines of at most ``width``."""
    from rich.cells import cell_len

    lines = words[:1]
    for word in words[1:]:
        joined = f"{lines[-1]} {word}"
        lines = [*lines[:-1], joined] if cell_len(joined) <= width else [*lines, word]
    return lines


def _wider(words: list[str], lines: int) -> list[str]:
    """Words in fewer than ``lines`` lines, as narrow as these can be."""
    from rich.cells import cell_len

    widths = range(max(map(cell_len, words)), cell_len(" ".join(words)) + 1)
    return next(found for width in widths if len(found := _wrapped(words, width)) < lines)


def _columns(table: Table, places: list[int]) -> Table:
    """The table with the columns at ``places``, in that order."""
    rows = tuple(tuple(row[n] for n in places) for row in table.rows)
    return replace(table, columns=tuple(table.columns[n] for n in places), rows=rows)


def _width(shown: RichTable, console: Console) -> int:
    """The least width of a table whose heads and numbers are whole; prose may be broken between words."""
    return _measured(shown, console).minimum


def _longest(shown: RichTable, console: Console) -> int:
    """The width of a table without line breaks."""
    return _measured(shown, console).maximum


def _measured(shown: RichTable, console: Console) -> Measurement:
    from rich.measure import Measurement

    return Measurement.get(console, console.options.update(max_width=10_000), shown)


def _apart(table: Table) -> tuple[str, Table]:
    """The leading columns whose value is the same in all rows, as a line of text, and the table without them."""
    first = table.rows[0] if table.rows else ()
    same = [n for n in range(table.stub) if first and all(row[n] == first[n] for row in table.rows)]
    line = ", ".join(f"{table.columns[n].title} {first[n].text}" for n in same)
    rest = [n for n in range(len(table.columns)) if n not in same]
    return line, replace(_columns(table, rest), stub=table.stub - len(same))


def _rich(table: Table, compact: bool = False, titles: Sequence[str] = ()) -> RichTable:
    """``compact``: no frame, and ``titles`` as headings, by default one word of them per line."""
    from rich import box
    from rich.cells import cell_len
    from rich.table import Table as RichTable
    from rich.text import Text

    shown = RichTable(header_style="bold", box=box.SIMPLE_HEAD if compact else box.HEAVY_HEAD, pad_edge=not compact)
    for n, column in enumerate(table.columns):
        title = "\n".join(HELD_TOGETHER.findall(column.title)) if compact else column.title
        title = titles[n] if titles else title
        prose = column.align == "l" and any(len(row[n].text) > PROSE for row in table.rows)
        justify: JustifyMethod = "left" if column.align == "l" else "right"
        least = max(NARROW if prose else 0, *map(cell_len, title.split("\n")))
        least = least if prose else max(least, *(cell_len(row[n].text) for row in table.rows), 0)
        shown.add_column(Text(title), justify=justify, overflow="fold", no_wrap=not prose, min_width=least)
    for i, row in enumerate(table.rows):
        texts = [Text(item.text, style=STYLES.get(item.mark, "")) for item in row]
        for place in range(table.stub):
            if i and not table.starts_group(i, place + 1):
                texts[place] = Text("")
        shown.add_row(*texts)
    return shown
