"""``bench check``: checks a method against the rules of the harness."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from ddbench.cli.completion import names_of
from ddbench.cli.options import json_option, plugin_option

if TYPE_CHECKING:
    from ddbench.conformance.checks import Check
    from ddbench.conformance.suite import Finding

EXIT_NONCONFORMING = 3


@click.command()
@click.argument("method", shell_complete=names_of("method"))
@plugin_option
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Any key of the configuration, dotted.")
@json_option
def check(method: str, plugins: tuple[str, ...], assignments: tuple[str, ...], as_json: bool) -> int:
    """Run METHOD on a handful of images and check it against the rules for all methods.

    An objective or guidance is checked as part of a method: 'dit[objective=NAME]', 'dit[guidance=NAME]'; a network as
    the one that a method trains: 'herding[network=NAME]'. A dataset in place of METHOD is checked against the rules for
    datasets. Exit code 3 when a rule is broken. A method is run two dozen times: give one that trains for long
    fewer steps with --set methods.NAME.FIELD=VALUE.
    """
    from ddbench.api.check import check_method, finding_lines
    from ddbench.cli.streams import stdout_kept

    with stdout_kept() as stdout:

        def tell(finding: Finding) -> None:
            if not as_json and (lines := finding_lines(finding)):
                print("\n".join(lines), file=stdout, flush=True)

        def busy(rule: Check, seconds: float, done: float) -> None:
            far = f", {100 * done:.0f} % of the set at hand" if done else ""
            fewer = f"--set methods.{method.partition('[')[0]}.OPTION=VALUE makes a method quicker"
            click.echo(f"{'':6}  {rule.name}: {seconds:.0f} s so far{far}; {fewer}", err=True)

        checked = check_method(method, plugins, assignments, tell=tell, busy=busy)
        if as_json:
            rows = [
                {
                    "check": f.check.name,
                    "ok": not f.wrong and not f.untried,
                    "wrong": f.wrong,
                    "untried": f.untried,
                    "advice": f.advice if f.wrong else "",
                }
                for f in checked.findings
            ]
            print(json.dumps({"method": checked.method, "checks": rows}, indent=1), file=stdout)
        else:
            print(f"\n{checked.summary()}", file=stdout)
    return 0 if checked else EXIT_NONCONFORMING
