"""``bench check``: whether a method keeps the rules of the harness."""

from __future__ import annotations

import json

import click

EXIT_NONCONFORMING = 3


@click.command()
@click.argument("method")
@click.option("--plugin", "plugins", multiple=True, metavar="FILE", help="A Python file that registers more.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Any key of the configuration, dotted.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def check(method: str, plugins: tuple[str, ...], assignments: tuple[str, ...], as_json: bool) -> int:
    """Try METHOD on a handful of images and hold it to the rules that all methods keep.

    An objective or guidance is checked as part of a method: 'dit[objective=NAME]', 'dit[guidance=NAME]'; a network as
    what a method trains: 'herding[network=NAME]'; a dataset by --set 'grid.datasets=[NAME]'. Exit code 3 when a rule is
    broken. It takes less than a minute; slow options are made small with --set methods.NAME.FIELD=VALUE.
    """
    from ddbench.cli.streams import stdout_kept
    from ddbench.config.schema import load_config
    from ddbench.config.study import resolve
    from ddbench.conformance.suite import Finding, run_checks
    from ddbench.errors import BenchError
    from ddbench.plugins.files import absolute

    config = load_config("check", {"grid.methods": [method], "plugins": absolute(plugins)}, assignments)
    if len(config.grid.methods) != 1:
        raise BenchError(f"a check is of one method, and {method!r} is {len(config.grid.methods)}.")
    (method,) = config.grid.methods
    study = resolve(config)
    for reason in study.broken():
        raise BenchError(reason)
    if len(study.datasets) != 1:
        raise BenchError(f"a check is of one dataset: --set 'grid.datasets=[{next(iter(study.datasets))}]'")
    (dataset,) = study.datasets
    if study.methods[dataset, method].whole:
        raise BenchError(f"{method} stands for the whole train split: it distils nothing that could be checked.")

    with stdout_kept() as stdout:

        def say(finding: Finding) -> None:
            if not as_json:
                print(f"{'FAILED' if finding.wrong else 'ok':6}  {finding.check.name}", file=stdout)
                if finding.wrong:
                    print(f"        {finding.wrong}\n        -> {finding.check.advice}", file=stdout)
                stdout.flush()

        findings = run_checks(study, method, say)
        broken = [finding for finding in findings if finding.wrong]
        if as_json:
            rows = [
                {
                    "check": f.check.name,
                    "ok": not f.wrong,
                    "wrong": f.wrong,
                    "advice": f.check.advice if f.wrong else "",
                }
                for f in findings
            ]
            print(json.dumps({"method": method, "checks": rows}, indent=1), file=stdout)
        else:
            seconds = sum(finding.seconds for finding in findings)
            print(
                f"\n{method}: {len(findings) - len(broken)} of {len(findings)} rules kept, {seconds:.0f} s", file=stdout
            )
    return EXIT_NONCONFORMING if broken else 0
