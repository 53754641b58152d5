"""The entry point of ``bench``: verbs, and the one place where errors become exit codes."""

from __future__ import annotations

import sys

import typer

from benchmark.cli import list_, run, table
from benchmark.errors import BenchError

EXIT_NOT_OK = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="bench",
    help="Compare dataset-distillation methods: one interface, one protocol, one table.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("run")(run.run)
app.command("list")(list_.list_)
app.command("table")(table.table)


def main() -> None:
    """Exit codes: 0 done, 1 some cells not ok, 2 usage or configuration, 130 interrupted."""
    import click

    debug = "--debug" in sys.argv
    try:
        code = app(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message())
        code = 0
    except click.ClickException as error:
        error.show()
        code = EXIT_USAGE
    except BenchError as error:
        if debug:
            raise
        print(f"bench: {error}", file=sys.stderr)
        code = EXIT_USAGE
    except (KeyboardInterrupt, click.Abort):
        print("bench: interrupted. What is finished is kept; the same command goes on from there.", file=sys.stderr)
        code = EXIT_INTERRUPTED
    sys.exit(code or 0)
