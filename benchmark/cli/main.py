"""The entry point of ``bench``: verbs, and the one place where errors become exit codes."""

from __future__ import annotations

import sys

import click

from benchmark.cli.export import export
from benchmark.cli.list_ import list_
from benchmark.cli.run import run
from benchmark.cli.table import table
from benchmark.errors import BenchError

EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dataset-distillation-bench", prog_name="bench")
def bench() -> None:
    """Compare dataset-distillation methods: one interface, one protocol, one table.

    `bench run` compares all built-in methods on handwritten digits; it needs no GPU and downloads nothing.
    """


bench.add_command(run)
bench.add_command(list_)
bench.add_command(table)
bench.add_command(export)


def main() -> None:
    """Exit codes: 0 done, 1 some cells not ok, 2 usage or configuration, 130 interrupted."""
    try:
        code = bench(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "")
        code = 0
    except click.ClickException as error:
        where = f" (`{error.ctx.command_path} --help` shows the usage)" if getattr(error, "ctx", None) else ""  # type: ignore[attr-defined]
        code = _refuse(error.format_message() + where)
    except BenchError as error:
        if "--debug" in sys.argv:
            raise
        code = _refuse(str(error))
    except (KeyboardInterrupt, click.Abort):
        click.echo("bench: interrupted. What is finished is kept; the same command goes on from there.", err=True)
        code = EXIT_INTERRUPTED
    sys.exit(code or 0)


def _refuse(message: str) -> int:
    click.echo(f"bench: {message}", err=True)
    return EXIT_USAGE


if __name__ == "__main__":
    main()
