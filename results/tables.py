"""The table in the paper's layout: dataset / architecture / IPC as rows, methods as columns, mean ± spread."""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from results.statistics import Estimate, Position, Select

RowKey = tuple[str, str, int]
"""(dataset, arch, ipc)"""


@dataclass(frozen=True)
class Block:
    """Cells that may stand in one table: one split and one protocol. Rows and columns in the order of the runs."""

    split: str
    protocol: str
    select: Select
    rows: tuple[RowKey, ...]
    methods: tuple[str, ...]
    estimates: Mapping[tuple[RowKey, str], Estimate]

    def marks(self, row: RowKey) -> dict[str, str]:
        """``best`` and ``second`` of the methods of a row; numbers that are equal as shown share a mark."""
        shown = {
            m: round(100 * e.mean, 1)
            for m in self.methods
            if (e := self.estimates.get((row, m))) and e.mean is not None
        }
        if len(shown) < 2:
            return {}
        top = sorted(set(shown.values()), reverse=True)[:2]
        return {method: ("best", "second")[top.index(value)] for method, value in shown.items() if value in top}

    def caption(self) -> str:
        counts = sorted({(e.sets, e.classifiers) for e in self.estimates.values()})
        sets = " or ".join(
            f"n = {s} distilled set{'s' * (s > 1)}, {c} classifier{'s' * (c > 1)} each" for s, c in counts
        )
        which = (
            "at the last epoch" if self.select == "last" else "at the best epoch, chosen on these images (optimistic)"
        )
        return (
            f"Top-1 accuracy (%) {which}: mean ± sample standard deviation over distilled sets ({sets}). "
            f"Split {self.split}, protocol {self.protocol}."
        )


def blocks(estimates: Mapping[Position, Estimate], select: Select) -> list[Block]:
    """The estimates as one table for each split and protocol: a column never mixes them."""
    groups: dict[tuple[str, str], dict[Position, Estimate]] = {}
    for position, value in estimates.items():
        groups.setdefault((position.split, position.protocol), {})[position] = value
    return [
        Block(
            split=split,
            protocol=protocol,
            select=select,
            rows=tuple(sorted({_row(p): None for p in group}, key=_by_ipc_within([_row(p) for p in group]))),
            methods=tuple(dict.fromkeys(p.method for p in group)),
            estimates={(_row(p), p.method): e for p, e in group.items()},
        )
        for (split, protocol), group in groups.items()
    ]


def _row(position: Position) -> RowKey:
    return position.dataset, position.arch, position.ipc


def _by_ipc_within(rows: Iterable[RowKey]) -> Callable[[RowKey], tuple[int, int, int]]:
    """Sort rows by first appearance of dataset and arch, then by ipc."""
    rows = list(rows)
    datasets = list(dict.fromkeys(row[0] for row in rows))
    archs = list(dict.fromkeys(row[1] for row in rows))
    return lambda row: (datasets.index(row[0]), archs.index(row[1]), row[2])


def as_text(estimate: Estimate | None) -> str:
    """``83.5 ± 1.7``; the reason in brackets where there is no mean, a dash where nothing was asked for."""
    if estimate is None:
        return "–"
    if estimate.mean is None:
        return f"({estimate.note})"
    spread = "" if estimate.sd is None else f" ± {100 * estimate.sd:.1f}"
    return f"{100 * estimate.mean:.1f}{spread}"


def markdown(tables: list[Block]) -> str:
    styles = {"best": "**{}**".format, "second": "<u>{}</u>".format}
    parts = []
    for block in tables:
        header = ["dataset", "arch", "IPC", *map(_markdown, block.methods)]
        lines = ["| " + " | ".join(header) + " |", "|---|---|--:|" + "--:|" * len(block.methods)]
        for row in block.rows:
            cells = [_markdown(row[0]), _markdown(row[1]), str(row[2]), *_marked(block, row, styles, _markdown)]
            lines.append("| " + " | ".join(cells) + " |")
        parts.append("\n".join([*lines, "", _markdown(block.caption())]))
    return "\n\n".join(parts) + "\n"


def latex(tables: list[Block]) -> str:
    """booktabs tables; ``\\usepackage{booktabs}`` is all that they need."""
    styles = {"best": r"\textbf{{{}}}".format, "second": r"\underline{{{}}}".format}
    parts = []
    for block in tables:
        columns = "llr" + "c" * len(block.methods)
        header = " & ".join(["Dataset", "Model", "IPC", *map(_tex, block.methods)])
        body = []
        for row in block.rows:
            cells = _marked(block, row, styles, _tex)
            body.append(" & ".join([_tex(row[0]), _tex(row[1]), str(row[2]), *cells]) + r" \\")
        lines = [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_tex(block.caption())}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            header + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def rows(tables: list[Block]) -> list[dict[str, Any]]:
    """One object for each position, accuracies as fractions."""
    return [
        {
            "dataset": row[0],
            "split": block.split,
            "protocol": block.protocol,
            "arch": row[1],
            "ipc": row[2],
            "method": method,
            "select": block.select,
            "top1_mean": value.mean,
            "top1_sd": value.sd,
            "distilled_sets": value.sets,
            "classifiers": value.classifiers,
            "cells_ok": value.ok,
            "cells": value.cells,
            "note": value.note,
        }
        for block in tables
        for row in block.rows
        for method in block.methods
        if (value := block.estimates.get((row, method)))
    ]


def as_csv(tables: list[Block]) -> str:
    found = rows(tables)
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(found[0]) if found else ["dataset"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    return out.getvalue()


def as_json(tables: list[Block]) -> str:
    return json.dumps(rows(tables), indent=1) + "\n"


FORMATS: dict[str, Callable[[list[Block]], str]] = {"md": markdown, "latex": latex, "csv": as_csv, "json": as_json}


def _marked(
    block: Block, row: RowKey, styles: Mapping[str, Callable[[str], str]], escape: Callable[[str], str] = str
) -> list[str]:
    marks = block.marks(row)
    texts = ((method, escape(as_text(block.estimates.get((row, method))))) for method in block.methods)
    return [styles[marks[method]](text) if method in marks else text for method, text in texts]


def _markdown(text: str) -> str:
    """Names may come from anybody: nothing in them is markup."""
    return html.escape(text, quote=False).replace("|", "\\|")


def _tex(text: str) -> str:
    special = {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "±": r"$\pm$",
        "–": "--",
    }
    return "".join(special.get(c, "\\" + c if c in "&%$#_{}" else c) for c in text)
