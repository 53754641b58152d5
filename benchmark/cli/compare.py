"""``bench compare``: two stores, or two selections, place by place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ddbench.api.selection import filter_options, select
from ddbench.api.stores import Several
from ddbench.cli.table import DEFAULT_STORE, StoreType, format_option, out_option, say, select_option
from ddbench.config import variants
from ddbench.errors import BenchError, unknown
from ddbench.results.statistics import Select

if TYPE_CHECKING:
    from ddbench.results.statistics import Position, Sample
    from ddbench.types import Cell, Record

EXAMPLE = "Example: bench compare --a method=rsm --b method=dit"


@click.command()
@click.argument("stores", nargs=-1, type=StoreType(path_type=Path, file_okay=False), metavar="[A B | STORE...]")
@click.option("--a", "one", metavar="FIELD=VALUE,...", help="Side A as a selection, e.g. method=rsm.")
@click.option("--b", "other", metavar="FIELD=VALUE,...", help="Side B, with the same fields.")
@click.option(
    "--fail-on",
    type=click.Choice(["regress"]),
    help="Exit code 1 where B is shown to be worse than A, or has no number where A has one.",
)
@format_option
@select_option
@filter_options
@out_option
def compare(
    stores: tuple[Path, ...],
    one: str | None,
    other: str | None,
    fail_on: str | None,
    form: str | None,
    which: Select,
    out: Path | None,
    **filters: tuple[str, ...],
) -> int:
    """Compare store A with store B wherever both have a number, or two selections of the cells of STORES.

    A difference is shown where it holds over distilled sets (paired where the seeds are the same) and over the judged
    images, after correction for the number of comparisons; with one set a side nothing is tested. Fields: dataset,
    split, protocol, arch, ipc, method.
    """
    from ddbench.api.captions import facts_of
    from ddbench.cli.show import write_tables
    from ddbench.results.comparison import matched, regressions
    from ddbench.results.statistics import samples
    from ddbench.results.tables.comparison import comparison_table

    records: list[Record] = []

    def side(opened: Several, pinned: Mapping[str, Any]) -> dict[Position, Sample]:
        cells = _pinned(select(opened.wanted, filters), pinned)
        found = opened.records(cells)
        records.extend(found)
        return samples(cells, found, which)

    if one or other:
        pins = [_parsed("--a", one), _parsed("--b", other)]
        if set(pins[0]) != set(pins[1]):
            raise BenchError(f"--a and --b must name the same fields. {EXAMPLE}")
        opened = Several(stores or (Path(DEFAULT_STORE),), say)
        sides, names = [side(opened, pin) for pin in pins], [str(one), str(other)]
    else:
        if len(stores) != 2:
            raise BenchError(f"name two stores, or two selections with --a and --b. {EXAMPLE}")
        pins = [{}, {}]
        sides, names = [side(Several([store], say), {}) for store in stores], [str(store) for store in stores]
    found = matched(sides[0], sides[1], set(pins[0]))
    write_tables([comparison_table(found, names[0], names[1], facts_of(records))], form, out)
    worse = regressions(found)
    if fail_on and worse:
        say(f"B regressed in {len(worse)} of {len(found)} rows.")
        return 1
    return 0


def _parsed(option: str, text: str | None) -> dict[str, Any]:
    """``"method=rsm,ipc=10"`` -> ``{"method": "rsm", "ipc": 10}``. Raises BenchError."""
    from ddbench.results.comparison import FIELDS

    if not text:
        raise BenchError(f"{option} is missing: both sides must be said. {EXAMPLE}")
    found: dict[str, Any] = {}
    for piece in variants.split(text):
        field, equals, value = (part.strip() for part in piece.partition("="))
        if not equals or not value:
            raise BenchError(f"{option} {piece!r} is not FIELD=VALUE. {EXAMPLE}")
        if field not in FIELDS:
            raise unknown("field", field, FIELDS, where=option)
        if field == "ipc" and not value.isdecimal():
            raise BenchError(f"{option} ipc={value} is not a number of images. Example: {option} ipc=10")
        found[field] = int(value) if field == "ipc" else value
    return found


def _pinned(cells: Mapping[Cell, str], pinned: Mapping[str, Any]) -> dict[Cell, str]:
    """The cells with the pinned coordinates. Raises BenchError for a value that no cell has."""
    for field, value in pinned.items():
        known = {getattr(cell, field) for cell in cells}
        if value not in known:
            raise unknown(field, str(value), map(str, known), where="the runs of these stores")
    return {cell: key for cell, key in cells.items() if all(getattr(cell, f) == v for f, v in pinned.items())}
