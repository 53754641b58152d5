"""Measured rates of work on cards: ``rates.csv``, a row for each work, precision and compilation.

``seconds`` is of one unit. ``date`` is that of the measured commit. A study is priced by rows whose work is the same;
what ``scaling`` makes of them is marked as an estimate.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

OPTIONS = (("fp32", "none"), ("tf32", "none"), ("bf16", "none"), ("bf16", "blocks"))
"""precision and compilation, slowest first"""


@dataclass(frozen=True)
class Rate:
    work: str
    unit: str
    precision: str
    compile: str
    seconds: float
    """of one unit"""
    card: str
    torch: str
    commit: str
    date: str
    note: str


def load_rates(path: Path | None = None) -> list[Rate]:
    """The rates of ``path``, by default those of the harness."""
    text = path.read_text() if path else (files("ddbench.results") / "rates.csv").read_text()
    rows = csv.DictReader(text.splitlines())
    rates = []
    for row in rows:
        seconds = float(row.pop("seconds"))
        rates.append(Rate(seconds=seconds, **row))
    return rates


def by_work(rates: Iterable[Rate]) -> dict[tuple[str, str, str], Rate]:
    """(work, precision, compile) -> its rate; of several rows the last counts."""
    return {(rate.work, rate.precision, rate.compile): rate for rate in rates}
