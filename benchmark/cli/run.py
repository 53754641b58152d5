"""``bench run``: configuration -> plan -> stages -> records -> table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ddbench.cli.options import (
    allow_test_copies_option,
    dry_run_option,
    execution_of,
    execution_options,
    json_option,
    say,
    store_option,
    tell,
)
from ddbench.cli.streams import stdout_kept
from ddbench.cli.study_options import configuration_of, grid_options

if TYPE_CHECKING:
    from ddbench.api.choices import Executor


@click.command()
@grid_options()
@store_option
@execution_options
@allow_test_copies_option
@click.option("--shard", metavar="I/N", help="Run this part of N only, on a machine or store of its own.")
@dry_run_option
@json_option
def run(
    store: Path,
    executor: Executor,
    ray_address: str | None,
    watchers: tuple[str, ...],
    allow_test_copies: bool,
    shard: str | None,
    dry_run: bool,
    as_json: bool,
    debug: bool,
    **grid: Any,
) -> int:
    """Run a study and print its table. The same command again runs only what is missing."""
    from ddbench.api.run import run_plan
    from ddbench.api.study import plan_of_study
    from ddbench.cli.finish import finish
    from ddbench.config.study import resolve

    how = execution_of(executor, ray_address, watchers, debug)
    allowed = {"allow_test_copies": True} if allow_test_copies else {}
    typed = {"allow_test_copies": "--allow-test-copies"}
    config = configuration_of(store, changes=allowed, typed=typed, **grid)
    study = resolve(config)
    how.resolved_watchers()  # refuse unknown watchers now, when the plug-ins of the study are loaded
    for reason in study.broken():
        say(f"{reason} Its cells will fail.")
    for remark in study.remarks():
        say(remark)
    plan = plan_of_study(study, shard)
    if dry_run:
        from ddbench.api.run import waiting
        from ddbench.cli.dry_run import print_plan
        from ddbench.stages.problems import refuse_problems

        pending = waiting(plan, store)
        print_plan(plan, pending, store, as_json, executor=executor)
        refuse_problems(pending.values(), light=True)
        return 0
    with stdout_kept() as stdout:
        done = run_plan(config, plan, store, how, say=say, announce=None if as_json else tell)
        return finish(done, plan, as_json, stdout)
