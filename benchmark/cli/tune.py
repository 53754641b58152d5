"""``bench tune``: searches options of a method on the validation part."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from ddbench.cli.choice import Choice
from ddbench.cli.completion import names_of
from ddbench.cli.options import dry_run_option, execution_of, execution_options, say, store_option
from ddbench.cli.streams import stdout_kept
from ddbench.cli.study_options import configuration_of, grid_options
from ddbench.errors import BenchError
from ddbench.tune.space import Scheduler, Search
from ddbench.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

    from ddbench.api.choices import Executor
    from ddbench.config.schema import Config
    from ddbench.plan.graph import Stage
    from ddbench.tune.record import TrialRow, Tune
    from ddbench.tune.search import Request
    from ddbench.tune.trial import OnRound, Trial


@click.command()
@click.argument("method", shell_complete=names_of("method"))
@click.option(
    "--param",
    "parameters",
    multiple=True,
    required=True,
    metavar="KEY=RANGE",
    help="What to search, e.g. methods.rsm.objective.weight='loguniform(1e-4, 0.1)'. Ranges: loguniform(a, b), "
    "uniform(a, b), randint(a, b), choice(a, b, ...), grid(a, b, ...); ends are included.",
)
@click.option(
    "--trials", type=click.IntRange(1), default=20, show_default=True, help="Settings to draw, beside the study's own."
)
@click.option(
    "--search",
    type=Choice(get_args(Search), "search"),
    help="random: draws. grid: every combination of lists. one-at-a-time: each list with the other parameters at the "
    "study's values.  [default: grid where all ranges are grids, else random]",
)
@click.option(
    "--scheduler",
    type=Choice(get_args(Scheduler), "scheduler"),
    default="fifo",
    show_default=True,
    help="fifo judges every setting on all seeds; the others end poor ones after fewer.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the draws.")
@grid_options(methods=False)
@store_option
@execution_options
@dry_run_option
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def tune(
    method: str,
    parameters: tuple[str, ...],
    trials: int,
    search: Search | None,
    scheduler: Scheduler,
    seed: int,
    store: Path | str,
    executor: Executor,
    ray_address: str | None,
    watchers: tuple[str, ...],
    debug: bool,
    dry_run: bool,
    as_json: bool,
    **grid: Any,
) -> int:
    """Search options of METHOD on the validation part of the train data; the test part is never looked at.

    Each setting is evaluated on the cells of the study, one pair of seeds after another; the study's own values come
    first. The setting with the highest mean top-1 at the last epoch is chosen. Results lie in the store: the same
    command again resumes the search, and `bench run --tuned TUNE` applies the chosen values.
    """
    from ddbench.api.run import check_machine, waiting
    from ddbench.api.tune import runner_of, searched
    from ddbench.stages.problems import refuse_problems
    from ddbench.store.opening import open_store
    from ddbench.tune.record import write
    from ddbench.tune.search import check_validation, make_trials

    if str(store).startswith("memory://"):
        raise BenchError("a store in memory:// is this process's own, and trials run in others: name another --store.")
    how = execution_of(executor, ray_address, watchers, debug)
    config = configuration_of(store, methods=(method,), changes={"split": "validation"}, **grid)
    request = _request(config, parameters, trials, search, seed, scheduler)
    planned = make_trials(request)
    left = {key: stage for trial in planned for key, stage in waiting(trial.plan, store).items()}
    if dry_run:
        _print_trials(planned, left, store, as_json)
    refuse_problems(left.values(), light=dry_run)
    if dry_run:
        return 0
    how.resolved_watchers()  # refuse unknown watchers now
    check_machine(config, left, store, how)
    runner = runner_of(how, request, planned, len(left), say)
    with stdout_kept() as stdout:
        opened = open_store(store, create=True)
        check_validation(config, opened)
        result = searched(request, planned, left, opened, runner, how, _print_rounds(planned), say)
        path = write(opened, result)
        if as_json:
            print(json.dumps({**result.to_json(), "file": path}, indent=1), file=stdout)
        else:
            _print(result, stdout)
            if result.chosen:
                values = [f"{key}={_show(value)}" for key, value in result.chosen.values.items()]
                print(f"\n{_run(result, grid, 'set', values)}", file=stdout)
        stdout.flush()
    _conclude(result, path, _run(result, grid, "tuned", [result.id]))
    return 0 if result.chosen else 1


def _request(
    config: Config, parameters: tuple[str, ...], trials: int, search: Search | None, seed: int, scheduler: Scheduler
) -> Request:
    from ddbench.tune.ranges import Range, parse_parameter
    from ddbench.tune.search import Request
    from ddbench.tune.space import default_search

    space: dict[str, Range] = {}
    for key, values in map(parse_parameter, parameters):
        if key in space:
            raise BenchError(f"--param {key} is given twice. One range for each key.")
        space[key] = values
    return Request(
        config=config,
        space=space,
        search=search or default_search(space),
        draws=trials,
        seed=seed,
        scheduler=scheduler,
    )


def _print_trials(trials: list[Trial], left: Mapping[str, Stage], store: Path | str, as_json: bool) -> None:
    from ddbench.cli.dry_run import print_plan
    from ddbench.plan.graph import Plan
    from ddbench.tune.record import short_names

    names = short_names(trials[0].values)
    stages = {key: stage for trial in trials for key, stage in trial.plan.stages.items()}
    lines = [
        f"trial {trial.index}: {', '.join(f'{names[key]}={_show(value)}' for key, value in trial.values.items())}"
        + ("" if trial.varied else " (the study's own values)")
        for trial in trials
    ]
    cells = sum(len(trial.plan.cells) for trial in trials)
    total = f"{counted(len(trials), 'trial')}, {counted(cells, 'cell')}, in {counted(len(trials[0].rounds), 'round')}"
    more = {"trials": [trial.values for trial in trials]}
    print_plan(Plan(stages, {}), left, store, as_json, lines=lines, total=total, more=more)


def _print_rounds(trials: list[Trial]) -> OnRound:
    """A callback that prints a line to stderr after each round of a trial."""
    from ddbench.tune.record import short_names

    names = short_names(trials[0].values)
    rounds = len(trials[0].rounds)

    def on_round(index: int, done: int, top1: float) -> None:
        values = ", ".join(f"{names[key]}={_show(value)}" for key, value in trials[index].values.items())
        print(
            f"trial {index} of 0-{len(trials) - 1}, round {done} of {rounds}: {100 * top1:.1f} % ({values})",
            file=sys.stderr,
            flush=True,
        )

    return on_round


def _print(tune: Tune, out: TextIO) -> None:
    """Every trial, best first: a rich table on a terminal, else Markdown."""
    from ddbench.tune.record import short_names

    names = short_names(tune.space)
    header = ["trial", *names.values(), "top-1 (%)", "rounds", "outcome"]
    rows = [
        [str(row.trial), *(_show(row.values[key]) for key in names), _accuracy(row), str(row.rounds), _outcome(row)]
        for row in tune.ranked()
    ]
    if out.isatty():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        shown = Table(header_style="bold")
        for column in header:
            shown.add_column(column, justify="left" if column == "outcome" else "right")
        for number, cells in enumerate(rows):
            shown.add_row(*map(Text, cells), style="bold green" if number == 0 and tune.chosen else None)
        Console(file=out, highlight=False).print(shown)
    else:
        out.write(f"| {' | '.join(header)} |\n|{'--:|' * (len(header) - 1)}---|\n")
        out.writelines(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |\n" for cells in rows)
    out.write(
        f"\nTop-1 at the last epoch on the validation part: mean ± sample standard deviation over distilled sets; "
        f"{counted(tune.cells, 'cell')} judged. The best of {len(tune.trials)} is an optimistic figure of itself.\n"
    )


def _run(tune: Tune, grid: dict[str, Any], option: str, values: list[str]) -> str:
    """The command that runs the searched study with ``--option value`` for each of ``values``."""
    given = [("set", assignment) for assignment in grid["assignments"]]
    options = [("config", grid["config"]), ("methods", tune.method), *given, *((option, value) for value in values)]
    return "bench run " + " ".join(f"--{name} {shlex.quote(value)}" for name, value in options)


def _conclude(tune: Tune, path: str, command: str) -> None:
    print(f"\nSearch {tune.id}: {path}", file=sys.stderr)
    if tune.chosen is None:
        print("every trial failed, so nothing is chosen. The same command tries them again.", file=sys.stderr)
        return
    print(
        f"To run the study with the choice, the search's cost kept with it: {command}\n"
        f"To draw it: bench sensitivity {tune.id} --out FILE.png",
        file=sys.stderr,
    )


def _accuracy(row: TrialRow) -> str:
    if row.top1 is None:
        return "-"
    return f"{100 * row.top1:.1f}" + (f" ± {100 * row.spread:.1f}" if row.spread is not None else "")


def _outcome(row: TrialRow) -> str:
    what = (
        row.outcome
        if row.outcome == "ok"
        else f"{row.outcome}: {row.reason}"
        if row.outcome == "failed"
        else row.reason
    )
    return what if row.varied else f"{what} (the study's own values)"


def _show(value: Any) -> str:
    """A value in the syntax of ``--set``."""
    return value if isinstance(value, str) else json.dumps(value)
