"""Options that several subcommands share, and parsing of lists: commas and repeats, ranges for seeds."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ddbench.api.choices import DEFAULT_STORE, EXECUTORS, FILTERS, SELECTS, check_margin
from ddbench.cli.choice import Choice
from ddbench.cli.completion import names_of
from ddbench.config import variants
from ddbench.errors import BenchError
from ddbench.plugins.registry import KINDS

if TYPE_CHECKING:
    from ddbench.api.choices import Executor
    from ddbench.api.run import Execution

F = TypeVar("F", bound=Callable[..., Any])

FORMATS = ("terminal", "md", "latex", "csv", "json", "parquet")


class StoreType(click.Path):
    """A folder, which becomes a Path, or a URL (``s3://bucket/path``), which stays a string."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if "://" in str(value) else super().convert(value, param, ctx)


store_option = click.option(
    "--store",
    type=StoreType(path_type=Path, file_okay=False),
    default=DEFAULT_STORE,
    show_default=True,
    metavar="DIR|URL",
    help="Artifacts and records: a folder, or a bucket such as s3://bucket/path.",
)

format_option = click.option(
    "--format",
    "form",
    type=Choice(FORMATS, "format"),
    help="Default: terminal on a terminal, else md. Accuracies are percentages in terminal, md and latex, fractions in "
    "csv, json and parquet, where an ipc of 0 is the whole train split.",
)
out_option = click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to a file in place of stdout."
)
select_option = click.option(
    "--select",
    "which",
    type=Choice(SELECTS, "accuracy"),
    default="last",
    show_default=True,
    help="Accuracy at the last epoch, or the best along the curve (chosen on the test images: optimistic).",
)


class Points(click.ParamType):
    """Percentage points: a finite number above zero."""

    name = "points"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return check_margin(float(value))
        except ValueError:
            raise BenchError(f"--margin {value!r} is not a number. Example: --margin 2") from None


def stores_options(command: F) -> F:
    """Any number of stores for the parameter ``stores``: as arguments or by ``--store``, else the default one."""

    @wraps(command)
    def merged(*args: Any, stores: tuple[Path | str, ...], **kw: Any) -> Any:
        return command(*args, stores=stores or (Path(DEFAULT_STORE),), **kw)

    return given_stores_options("[STORE]...")(merged)  # type: ignore[return-value]


def given_stores_options(metavar: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The stores that are named, none included, for the parameter ``stores``: as arguments or by ``--store``."""
    kind = StoreType(path_type=Path, file_okay=False)

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def merged(*args: Any, stores: tuple[Path | str, ...], named: tuple[Path | str, ...], **kw: Any) -> Any:
            return command(*args, stores=(*stores, *named), **kw)

        help_ = f"As STORE. [default: {DEFAULT_STORE}]"
        option = click.option("--store", "named", multiple=True, type=kind, metavar="DIR|URL", help=help_)
        return click.argument("stores", nargs=-1, type=kind, metavar=metavar)(option(merged))

    return add


plugin_option = click.option(
    "--plugin", "plugins", multiple=True, metavar="FILE", help="A Python file that registers more."
)


def _load(ctx: click.Context, param: click.Parameter, files: tuple[str, ...]) -> None:
    if files:
        from ddbench.plugins.files import absolute, load_plugins

        load_plugins(absolute(files))


loaded_plugin_option = click.option(
    "--plugin",
    multiple=True,
    metavar="FILE",
    expose_value=False,
    callback=_load,
    help="A Python file that defines classes which records name.",
)
"""for commands that read records: the files are loaded before the command begins"""

allow_test_copies_option = click.option(
    "--allow-test-copies", is_flag=True, help="Judge sets that hold judged images too; tables say so."
)
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Print cells, stages and what stands in their way; run nothing."
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


def execution_options(command: F) -> F:
    """``--executor``, ``--ray-address``, ``--watcher`` and ``--debug``: how stages are run; see ``execution_of``."""
    options = (
        click.option(
            "--executor",
            type=Choice(EXECUTORS, "executor"),
            default="auto",
            show_default=True,
            help="inline: one stage at a time in this process; ray: in parallel on all cores; auto: ray where it pays.",
        ),
        click.option(
            "--ray-address",
            metavar="ADDRESS",
            help="Join a running Ray cluster, `auto` for the one of this machine. All machines must see the store.",
        ),
        click.option(
            "--watcher",
            "watchers",
            multiple=True,
            metavar="NAME",
            shell_complete=names_of("watcher"),
            help="Report the run to the watcher NAME or NAME[OPTION=VALUE] (`bench list watchers`); repeatable.",
        ),
        click.option("--debug", is_flag=True, help="Show tracebacks."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def execution_of(executor: Executor, ray_address: str | None, watchers: Sequence[str], debug: bool) -> Execution:
    """The values of ``execution_options``. Raises BenchError for contradictory ones."""
    from ddbench.api.run import Execution

    return Execution(executor, ray_address, tuple(names(watchers) or ()), debug)


def filter_options(command: F) -> F:
    """Options ``--datasets``, ``--methods``, ...: filters that admit all by default."""
    for option, field in reversed(FILTERS.items()):
        help_ = "Lists take commas and repeats; default: all." if option == "datasets" else None
        both = (f"--{option}",) if option == field else (f"--{option}", f"--{field}")
        complete = names_of(field, many=True) if field in KINDS else None
        command = click.option(*both, option, multiple=True, shell_complete=complete, help=help_)(command)
    return command


def filters_of(options: Mapping[str, Sequence[str]]) -> dict[str, list[Any] | None]:
    """The options of ``filter_options`` as ``api.selection.select`` takes them. Raises BenchError."""
    return {
        name: integers("--ipc", options.get(name)) if field == "ipc" else named(f"--{name}", options.get(name))
        for name, field in FILTERS.items()
    }


def say(message: str) -> None:
    """Print a message to stderr."""
    click.echo(f"bench: {message}", err=True)


def tell(message: str) -> None:
    """Print to stderr what is being done, as the lines about progress are."""
    click.echo(message, err=True)


def names(values: Sequence[str] | None) -> list[str] | None:
    """``["a,b", "c[x=1,y=2]"]`` -> ``["a", "b", "c[x=1,y=2]"]``; None when the option was not given."""
    if not values:
        return None
    return [variants.canonical(part) for value in values for part in variants.split(value)]


EXAMPLES = {"datasets": "digits", "methods": "random,rsm", "archs": "convnet3-w32", "protocols": "cpu-small@1"}


def named(option: str, values: Sequence[str] | None) -> list[str] | None:
    """``names`` of the values of ``option``. Raises BenchError when it was given and names nothing."""
    found = names(values)
    if found == []:
        example = EXAMPLES.get(option.removeprefix("--"), "NAME")
        raise BenchError(f"{option} is empty: name at least one, or leave it out. Example: {option} {example}")
    return found


def integers(option: str, values: Sequence[str] | None, *, ranges: bool = False) -> list[int] | None:
    """Like ``names`` for whole numbers from zero; with ``ranges``, ``0-2`` is 0, 1, 2. Raises BenchError."""
    parts = names(values)
    if parts is None:
        return None
    numbers: list[int] = []
    for part in parts:
        span = re.fullmatch(r"(\d+)-(\d+)", part) if ranges else None
        if span and int(span[1]) <= int(span[2]):
            numbers.extend(range(int(span[1]), int(span[2]) + 1))
        elif re.fullmatch(r"\d+", part):
            numbers.append(int(part))
        else:
            example = "0,1,2 or 0-2" if ranges else "1,10,50"
            raise BenchError(
                f"{option} {part!r} is not a whole number{' or a range' if ranges else ''}. Example: {option} {example}"
            )
    if not numbers:
        raise BenchError(f"{option} is empty. Example: {option} {'0-2' if ranges else '1,10,50'}")
    return numbers


def numbers(option: str, text: str | None) -> tuple[float, ...]:
    """``0.49,0.48,0.45`` as numbers; empty when the option was not given. Raises BenchError."""
    if text is None:
        return ()
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not found or not all(map(math.isfinite, found)):
        zca = " ZCA-whitened images are no pixels: undo the whitening first." if "zca" in text.lower() else ""
        raise BenchError(f"{option} {text!r} is no list of numbers.{zca} Example: {option} 0.49,0.48,0.45")
    return found
