"""``bench published``: prints the tables of papers."""

from __future__ import annotations

from pathlib import Path

import click

from ddbench.cli.choice import Choice
from ddbench.cli.options import format_option, out_option

PAPERS = ("rsm-cgs", "minimax", "mgd3", "igd")


@click.command()
@click.argument("paper", type=Choice(PAPERS, "paper"), default="rsm-cgs")
@format_option
@out_option
def published(paper: str, form: str | None, out: Path | None) -> None:
    """Print the numbers that PAPER published, in the main layout. Nothing is measured.

    rsm-cgs, the default, is the paper of RSM + CGS. `bench table --published` shows them beside measured numbers.
    """
    from ddbench.cli.show import write_tables
    from ddbench.results.published import load_published
    from ddbench.results.tables.published import paper_tables

    write_tables(paper_tables([value for value in load_published() if value.paper == paper]), form, out)
