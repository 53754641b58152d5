"""Tables as HTML fragments, for notebooks. Names may come from anybody: all text is escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from ddbench.results.tables.model import Column, Item, Table, Tabular

MARKS = {"best": "<b>{}</b>", "second": "<u>{}</u>"}


def as_html(tables: Iterable[Tabular]) -> str:
    """A ``<table>`` for each, its caption below; the best number is bold and the second underlined."""
    return "\n".join(_one(tabular.table()) for tabular in tables)


def with_code(text: str) -> str:
    """Escaped text in which what stands between backticks, as in captions, is marked as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _one(table: Table) -> str:
    head = "".join(f"<th{_align(column)}>{html.escape(column.title)}</th>" for column in table.columns)
    body = "\n".join(
        "<tr>" + "".join(_cell(column, item) for column, item in zip(table.columns, row, strict=True)) + "</tr>"
        for row in table.rows
    )
    caption = f'<caption style="caption-side: bottom; text-align: left">{with_code(table.caption)}</caption>'
    return f"<table>\n{caption}\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def _cell(column: Column, item: Item) -> str:
    return f"<td{_align(column)}>{MARKS.get(item.mark, '{}').format(html.escape(item.text))}</td>"


def _align(column: Column) -> str:
    return f' style="text-align: {"left" if column.align == "l" else "right"}"'
