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
    from collections.abc import Mapping, Sequence
    from typing import TextIO

    from ddbench.api.choices import Executor
    from ddbench.api.run import Execution
    from ddbench.config.schema import Config
    from ddbench.execute.demand import Room
    from ddbench.execute.policy import Policy
    from ddbench.plan.graph import Stage
    from ddbench.store.folder import Store
    from ddbench.tune.record import TrialRow, Tune
    from ddbench.tune.search import Request
    from ddbench.tune.trial import Ending, OnRound, Runner, Trial


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
    runner = _runner(how, request, planned, len(left))
    with stdout_kept() as stdout:
        opened = open_store(store, create=True)
        check_validation(config, opened)
        result = _search(request, planned, left, opened, runner, how)
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


def _runner(how: Execution, request: Request, trials: list[Trial], stages: int) -> Runner:
    """How the trials are run; ``stages``: how many are left. Raises BenchError for a scheduler that needs Ray."""
    from ddbench.api.run import pays
    from ddbench.execute.policy import Policy
    from ddbench.tune.in_order import InOrder
    from ddbench.tune.on_ray import OnTune

    policy, early = Policy.of(request.config), request.scheduler != "fifo"
    if how.executor == "inline" and early:
        raise BenchError(
            f"--scheduler {request.scheduler} compares trials that run side by side: use --executor ray, or "
            "--scheduler fifo."
        )
    if how.executor == "inline" or (how.executor == "auto" and not (early or how.ray_address or pays(stages))):
        return InOrder(policy)
    return OnTune(request.scheduler, _takes(request.config, trials), policy, say, how.ray_address)


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


def _search(
    request: Request, trials: list[Trial], left: Mapping[str, Stage], store: Store, runner: Runner, how: Execution
) -> Tune:
    """Run the search, and tell watchers of it."""
    from ddbench.execute.observer import Observer
    from ddbench.execute.policy import Policy
    from ddbench.execute.watched import Watched, run_start
    from ddbench.plan.graph import Plan
    from ddbench.tune.search import run_search
    from ddbench.tune.watched import WatchedSearch

    every = Plan({}, {cell: key for trial in trials for cell, key in trial.plan.cells.items()})
    start = run_start(request.config, every, store)

    def with_tracebacks(trials: Sequence[Trial], store: str, on_round: OnRound) -> list[Ending]:
        endings = runner(trials, store, on_round)
        for trial, ending in zip(trials, endings, strict=True):
            if how.tracebacks and ending.traceback:
                say(f"trial {trial.index}: {ending.traceback}")
        return endings

    class OnStderr(Observer):
        def say(self, message: str) -> None:
            say(message)

    observer = Watched(OnStderr(), how.resolved_watchers(), start, how.tracebacks)
    with WatchedSearch(trials, left, store, observer) as watched:
        failure = _run_shared(trials, store, Policy.of(request.config), how.tracebacks)
        on_round = watched.after_rounds(_print_rounds(trials))
        return run_search(request, trials, store, with_tracebacks, on_round, failure)


def _run_shared(trials: list[Trial], store: Store, policy: Policy, debug: bool) -> str:
    """Run the preparations that all trials share, before the trials; the reason if that failed, or empty."""
    from ddbench.api.progress import make_display
    from ddbench.execute.inline import Inline
    from ddbench.execute.pace import Pace
    from ddbench.execute.schedule import run_schedule
    from ddbench.tune.trial import shared

    plan, missing = shared(trials, store)
    if not missing:
        return ""
    with make_display(debug, Pace(store.how_far)) as display:
        summary = run_schedule(plan, store, missing, Inline(store.address), display, policy)
    return next((f"{stage.kind} stage {stage.label}: {why}" for stage, why in summary.failures), "")


def _takes(config: Config, trials: list[Trial]) -> Room:
    """The resources of a trial: the most that any stage takes, since its stages run one after another."""
    from ddbench.execute.demand import Demand, Room, largest

    demand, boundless = Demand(config.resources), Room(float("inf"), float("inf"), float("inf"))
    return largest(demand.of(stage, boundless) for trial in trials for stage in trial.plan.stages.values())


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
