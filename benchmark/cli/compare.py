"""``bench compare``: compares two stores, or two selections of cells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ddbench.cli.choice import Choice
from ddbench.cli.options import (
    DEFAULT_STORE,
    filter_options,
    filters_of,
    format_option,
    given_stores_options,
    loaded_plugin_option,
    out_option,
    say,
    select_option,
)
from ddbench.config import variants
from ddbench.errors import BenchError, unknown

if TYPE_CHECKING:
    from ddbench.results.statistics import Select


EXAMPLE = "Example: bench compare --a method=rsm --b method=dit"


@click.command()
@given_stores_options("[A B | STORE...]")
@loaded_plugin_option
@click.option("--a", "one", metavar="FIELD=VALUE,...", help="Side A as a selection, e.g. method=rsm.")
@click.option("--b", "other", metavar="FIELD=VALUE,...", help="Side B, with the same fields.")
@click.option(
    "--fail-on",
    type=Choice(["regress"], "reason"),
    help="Exit code 1 if B is shown to be worse than A somewhere, or lacks a number that A has.",
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
    from ddbench.api.compare import Side, compare_sides
    from ddbench.api.stores import Stores
    from ddbench.cli.show import write_tables

    if one or other:
        opened = Stores(stores or (Path(DEFAULT_STORE),), say)
        sides = [Side(str(text), opened, _parsed(option, text)) for option, text in (("--a", one), ("--b", other))]
    else:
        if len(stores) != 2:
            raise BenchError(f"name two stores, or two selections with --a and --b. {EXAMPLE}")
        sides = [Side(str(store), Stores([store], say), {}) for store in stores]
    compared = compare_sides(sides[0], sides[1], filters_of(filters), which)
    write_tables(compared.tables, form, out)
    if fail_on and compared.regressed:
        say(f"B regressed in {compared.regressed} of {compared.rows} rows.")
        return 1
    return 0


def _parsed(option: str, text: str | None) -> dict[str, Any]:
    """``"method=rsm,ipc=10"`` -> ``{"method": "rsm", "ipc": 10}``. Raises BenchError."""
    from ddbench.results.comparison import FIELDS

    if not text:
        raise BenchError(f"{option} is missing: both sides must be said. {EXAMPLE}")
    coordinates: dict[str, Any] = {}
    for piece in variants.split(text):
        field, equals, value = (part.strip() for part in piece.partition("="))
        if not equals or not value:
            raise BenchError(f"{option} {piece!r} is not FIELD=VALUE. {EXAMPLE}")
        if field not in FIELDS:
            raise unknown("field", field, FIELDS, where=option)
        if field == "ipc" and not value.isdecimal():
            raise BenchError(f"{option} ipc={value} is not a number of images. Example: {option} ipc=10")
        coordinates[field] = int(value) if field == "ipc" else value
    return coordinates
