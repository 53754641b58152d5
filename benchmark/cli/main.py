"""The entry point of ``bench``: its subcommands, and the exit codes of errors."""

from __future__ import annotations

import errno
import os
import re
import shlex
import sys
from pathlib import Path

import click

from ddbench.cli.check import check
from ddbench.cli.compare import compare
from ddbench.cli.config import config
from ddbench.cli.data import data
from ddbench.cli.evaluate import evaluate
from ddbench.cli.export import export
from ddbench.cli.info import info
from ddbench.cli.labels import labels
from ddbench.cli.leaderboard import leaderboard
from ddbench.cli.list_ import list_
from ddbench.cli.merge import merge
from ddbench.cli.new import new
from ddbench.cli.plan_ import plan_
from ddbench.cli.plot import plot
from ddbench.cli.published import published
from ddbench.cli.report import report
from ddbench.cli.run import run
from ddbench.cli.sensitivity import sensitivity
from ddbench.cli.shift import shift
from ddbench.cli.show_cell import show_cell
from ddbench.cli.status import status
from ddbench.cli.table import table
from ddbench.cli.tune import tune
from ddbench.cli.worth import worth
from ddbench.errors import BenchError
from ddbench.plugins.registry import DISTRIBUTION

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name=DISTRIBUTION, prog_name="bench")
def bench() -> None:
    """Compare dataset-distillation methods: one interface, one protocol, one table.

    `bench run` compares fourteen methods and baselines on handwritten digits; it needs no GPU and downloads nothing.
    """


bench.add_command(run)
bench.add_command(report)
bench.add_command(plot)
bench.add_command(list_)
bench.add_command(table)
bench.add_command(published)
bench.add_command(leaderboard)
bench.add_command(compare)
bench.add_command(show_cell)
bench.add_command(plan_)
bench.add_command(sensitivity)
bench.add_command(status)
bench.add_command(tune)
bench.add_command(export)
bench.add_command(merge)
bench.add_command(evaluate)
bench.add_command(labels)
bench.add_command(check)
bench.add_command(info)
bench.add_command(data)
bench.add_command(config)
bench.add_command(new)
bench.add_command(shift)
bench.add_command(worth)


def main() -> None:
    """Exit codes: 0 done, 1 cells not ok, 2 usage or configuration, 3 a rule of `check` broken, 130 interrupted."""
    try:
        code = bench(standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "")
        code = 0
    except click.ClickException as error:
        where = f" (`{error.ctx.command_path} --help` shows the usage)" if getattr(error, "ctx", None) else ""  # type: ignore[attr-defined]
        code = _refuse(error.format_message() + _store_hint(error) + where)
    except BenchError as error:
        if "--debug" in sys.argv:
            raise
        code = _refuse(str(error))
    except BrokenPipeError:  # the reader of a pipe has enough: `bench table | head`
        _drop_stdout()
        code = EXIT_FAILED
    except OSError as error:
        if error.filename is not None or error.errno not in (errno.ENOSPC, errno.EIO):
            raise
        _drop_stdout()
        click.echo(f"bench: the output cannot be written: {error.strerror}. Nothing in the store was lost.", err=True)
        code = EXIT_FAILED
    except (KeyboardInterrupt, click.Abort):
        click.echo("bench: interrupted. What is finished is kept; the same command goes on from there.", err=True)
        code = EXIT_INTERRUPTED
    sys.exit(code or 0)


def _store_hint(error: click.ClickException) -> str:
    """What to type where the argument that a command does not take may be a store, which it takes by ``--store``."""
    extra = re.match(r"Got unexpected extra argument \((.+)\)", error.format_message())
    context = getattr(error, "ctx", None)
    takes = context is not None and any(option.name == "store" for option in context.command.params)
    if not extra or not takes or not ("://" in extra[1] or Path(extra[1]).is_dir()):
        return ""
    return f". A store is given by --store: did you mean --store {shlex.quote(extra[1])}?"


def _drop_stdout() -> None:
    """Send what stdout still holds nowhere, so that Python does not try to write it once more when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refuse(message: str) -> int:
    click.echo(f"bench: {message}", err=True)
    return EXIT_USAGE


if __name__ == "__main__":
    main()
