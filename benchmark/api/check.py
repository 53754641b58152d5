"""Checking a method against the rules of the harness."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddbench.config.schema import load_config
from ddbench.config.study import Study, resolve
from ddbench.conformance.suite import Busy, Finding, run_checks, run_dataset_checks
from ddbench.errors import BenchError
from ddbench.plugins.files import absolute, load_plugins
from ddbench.plugins.registry import entries, registered_by
from ddbench.plugins.scaffold.write import Kind, used_by

CHECKED: dict[str, Kind] = {
    "method": "method",
    "objective": "objective",
    "guidance": "guidance",
    "arch": "network",
    "dataset": "dataset",
}
"""registered kind -> kind in `bench new`, for kinds that can be checked, alone or as part of a method"""


@dataclass(frozen=True)
class Checked:
    """The findings on one method or dataset, in the order of the rules."""

    method: str
    """its name"""
    findings: Sequence[Finding]

    @property
    def broken(self) -> list[Finding]:
        """The findings of broken rules."""
        return [finding for finding in self.findings if finding.wrong]

    def __bool__(self) -> bool:
        """Whether every rule is kept."""
        return not self.broken

    def __str__(self) -> str:
        lines = [line for finding in self.findings for line in finding_lines(finding)]
        return "\n".join([*lines, "", self.summary()])

    def summary(self) -> str:
        untried = [finding.check.name for finding in self.findings if finding.untried]
        kept, seconds = len(self.findings) - len(self.broken) - len(untried), sum(f.seconds for f in self.findings)
        rest = f", {len(untried)} raise the same and could not be tried ({', '.join(untried)})" if untried else ""
        return f"{self.method}: {kept} of {len(self.findings)} rules kept, {seconds:.0f} s{rest}"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def finding_lines(finding: Finding) -> list[str]:
    """A finding as lines of text: the rule and, if it is broken, what is wrong and what to do. None for a rule that
    could not be tried, since it raised what was told before: the summary counts these."""
    if finding.untried:
        return []
    lines = [f"{'FAILED' if finding.wrong else 'ok':6}  {finding.check.name}"]
    return [*lines, f"        {finding.wrong}", f"        -> {finding.advice}"] if finding.wrong else lines


def check_method(
    method: str,
    plugins: Sequence[str] = (),
    assignments: Sequence[str] = (),
    changes: Mapping[str, Any] | None = None,
    tell: Callable[[Finding], None] = lambda _: None,
    busy: Busy = lambda *_: None,
) -> Checked:
    """Run a method on a handful of images and check it against the rules; ``tell`` is called after each, and ``busy``
    (see ``conformance.suite``) while one takes long.

    ``method`` may be the name of a dataset, which has rules of its own, or a plug-in file that registers one method,
    objective, guidance, network or dataset; objectives, guidances and networks are checked as part of a method. Raises
    BenchError for a method or dataset that cannot be checked.
    """
    if method.endswith(".py"):
        plugins = [*plugins, method]
        method = _registered_in(method)
    load_plugins(absolute(plugins))
    if method in entries("dataset") and method not in entries("method"):
        return _check_dataset(method, plugins, assignments, changes, tell)
    fixed = {"grid.methods": [method], "plugins": absolute(plugins)}
    config = load_config("check", {**(changes or {}), **fixed}, assignments)
    if len(config.grid.methods) != 1:
        raise BenchError(f"a check is of one method, and {method!r} is {len(config.grid.methods)}.")
    (name,) = config.grid.methods
    study = resolve(config)
    for reason in study.broken():
        raise BenchError(reason)
    _check_checkable(study, name)
    return Checked(name, run_checks(study, name, tell, busy=busy))


def _check_dataset(
    name: str,
    plugins: Sequence[str],
    assignments: Sequence[str],
    changes: Mapping[str, Any] | None,
    tell: Callable[[Finding], None],
) -> Checked:
    fixed = {"grid.datasets": [name], "grid.methods": ["random"], "plugins": absolute(plugins)}
    study = resolve(load_config("check", {**(changes or {}), **fixed}, assignments))
    for reason in study.broken():
        raise BenchError(reason)
    return Checked(name, run_dataset_checks(study, tell))


def _check_checkable(study: Study, method: str) -> None:
    if len(study.datasets) != 1:
        raise BenchError(f"a check is of one dataset: --set 'grid.datasets=[{next(iter(study.datasets))}]'")
    (dataset,) = study.datasets
    if study.methods[dataset, method].whole:
        raise BenchError(f"{method} stands for the whole train split: it distils nothing that could be checked.")


def _registered_in(file: str) -> str:
    """A method that uses the one entry that a plug-in file registers, or the dataset that it registers. Raises
    BenchError for none or several."""
    (path,) = absolute([file])
    load_plugins([path])
    parts = [entry for entry in registered_by(path) if entry.kind in CHECKED]
    if len(parts) != 1:
        names = ", ".join(f"the {entry.kind} {entry.name}" for entry in parts) or "nothing that can be checked"
        raise BenchError(f"{Path(file).name} registers {names}: name what to check, with --plugin {file}.")
    if parts[0].kind == "dataset":
        return parts[0].name
    return used_by(CHECKED[parts[0].kind], parts[0].name)
