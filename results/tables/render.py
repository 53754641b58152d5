"""Tables as text and data: Markdown, LaTeX, CSV, JSON, Parquet."""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ddbench.results.tables.model import Item, Table, Tabular

Style = Mapping[str, Callable[[str], str]]


def markdown(tables: Iterable[Tabular]) -> str:
    style: Style = {"best": "**{}**".format, "second": "<u>{}</u>".format}
    parts = []
    for table in _tables(tables):
        header = [plain_markdown(column.title) for column in table.columns]
        rule = "|" + "".join("---|" if column.align == "l" else "--:|" for column in table.columns)
        lines = ["| " + " | ".join(header) + " |", rule]
        lines += ["| " + " | ".join(_styled(item, style, plain_markdown) for item in row) + " |" for row in table.rows]
        parts.append("\n".join([*lines, "", plain_markdown(table.caption)]))
    return "\n\n".join(parts) + "\n"


WIDE = 10
"""a LaTeX table with more columns is set smaller and tighter, to fit a landscape page"""


def latex(tables: Iterable[Tabular]) -> str:
    """booktabs tables; ``\\usepackage{booktabs}`` is all that they need."""
    style: Style = {"best": r"\textbf{{{}}}".format, "second": r"\underline{{{}}}".format}
    parts = []
    for table in _tables(tables):
        stub = table.stub + 1  # numbers are centred, what stands before them is aligned
        columns = "".join(c.align if i < stub or c.align == "l" else "c" for i, c in enumerate(table.columns))
        body = []
        for i, row in enumerate(table.rows):
            if table.starts_group(i):
                body.append(r"\midrule")
            body.append(" & ".join(_styled(item, style, _tex) for item in row) + r" \\")
        lines = [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_tex(table.caption)}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(_tex(column.paper or column.title) for column in table.columns) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
        if len(table.columns) > WIDE:
            lines.insert(3, r"\footnotesize\setlength{\tabcolsep}{3pt}")
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def rows(tables: Iterable[Tabular]) -> list[dict[str, Any]]:
    """The numbers behind all tables, one object each; every object has every name."""
    found = [row for table in _tables(tables) for row in table.data()]
    names = dict.fromkeys(name for row in found for name in row)
    return [{name: row.get(name) for name in names} for row in found]


def as_csv(tables: Iterable[Tabular]) -> str:
    found = rows(tables)
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(found[0]) if found else ["dataset"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    return out.getvalue()


def as_json(tables: Iterable[Tabular]) -> str:
    return json.dumps(rows(tables), indent=1) + "\n"


def parquet(tables: Iterable[Tabular]) -> bytes:
    """The numbers behind all tables as a Parquet file; a column of numbers that are all missing is float64."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = rows(tables)
    table = pa.Table.from_pylist(found) if found else pa.table({"dataset": pa.array([], pa.string())})
    types = [
        pa.field(one.name, pa.string() if one.name in TEXT else pa.float64()) if pa.types.is_null(one.type) else one
        for one in table.schema
    ]
    out = io.BytesIO()
    pq.write_table(table.cast(pa.schema(types)), out)
    return out.getvalue()


TEXT = (
    *("dataset", "split", "arch", "method", "protocol", "select", "note", "verdict", "reference"),
    *("paper", "source", "labels", "evidence", "evidence_means"),
    *("published_paper", "published_protocol", "published_source"),
    *("space", "latent_space"),
)
"""names of numbers behind tables that are words: a column of them that is empty is text"""

FORMATS: dict[str, Callable[[list[Tabular]], str]] = {
    "md": markdown,
    "latex": latex,
    "csv": as_csv,
    "json": as_json,
}
"""formats that are text"""


def _tables(tables: Iterable[Tabular]) -> Iterable[Table]:
    return (table.table() for table in tables)


def _styled(item: Item, style: Style, escape: Callable[[str], str]) -> str:
    text = escape(item.text)
    return style[item.mark](text) if item.mark else text


def plain_markdown(text: str) -> str:
    """Escaped: names may hold markup."""
    return html.escape(text, quote=False).replace("|", "\\|")


TEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    "−": "$-$",
    "†": r"$\dagger$",
    "–": "--",
}


def _tex(text: str) -> str:
    return "".join(TEX.get(c, "\\" + c if c in "&%$#_{}" else c) for c in text)
