"""Running the checks on a method."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmark.conformance.checks import CHECKS, Check
from benchmark.conformance.trial import Trial, sample_of
from benchmark.study import Study


@dataclass(frozen=True)
class Finding:
    """How a check went: ``wrong`` is empty when it passed."""

    check: Check
    wrong: str
    seconds: float


def run_checks(study: Study, name: str, say: Callable[[Finding], None] = lambda _: None) -> list[Finding]:
    """Every check on the method ``name`` of a study of one dataset."""
    (dataset,) = study.datasets.values()
    method = study.methods[dataset.name, name]
    findings: list[Finding] = []
    for check in CHECKS:
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            trial = Trial(method, sample_of(dataset), study.networks, Path(folder))
            try:
                wrong = check.find(trial)
            except Exception as error:  # whatever a stranger's code does is a finding
                wrong = f"{type(error).__name__}: {' '.join(str(error).split())}"
            findings.append(Finding(check, wrong, time.perf_counter() - started))
            say(findings[-1])
    return findings
