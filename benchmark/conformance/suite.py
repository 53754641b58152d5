"""Running the checks on a method."""

from __future__ import annotations

import tempfile
import textwrap
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ddbench.config.study import Study
from ddbench.conformance.checks import CHECKS, UNTRIED, Check
from ddbench.conformance.elsewhere import Asked, digests_elsewhere
from ddbench.conformance.under_test import MethodUnderTest, sample_of
from ddbench.images import LabeledImages

ASKED = ((2, 0), (2, UNTRIED))
"""(ipc, seed) of the sets that another process distils"""

LONGEST = 400
"""most characters of a finding"""


@dataclass(frozen=True)
class Finding:
    """The result of a check: ``wrong`` is empty when the rule is kept."""

    check: Check
    wrong: str
    seconds: float


def run_checks(
    study: Study, name: str, say: Callable[[Finding], None] = lambda _: None, checks: Sequence[Check] = CHECKS
) -> list[Finding]:
    """Run the checks on the method ``name`` of a study of one dataset; stop after a failed check that is ``first``."""
    (dataset,) = study.datasets.values()
    method, sample = study.methods[dataset.name, name], sample_of(dataset)

    @cache
    def others() -> dict[Asked, str]:
        return digests_elsewhere(study.config, ASKED)[name]

    findings: list[Finding] = []
    for check in checks:
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            real = LabeledImages(sample.images.clone(), sample.labels.clone(), sample.classes)
            subject = MethodUnderTest(
                method, real, study.networks, Path(folder), elsewhere=lambda *asked: others()[asked]
            )
            try:
                wrong = check.find(subject)
            except (Exception, SystemExit) as error:  # any error of a plug-in is a finding
                wrong = f"{type(error).__name__}: {' '.join(str(error).split())}"
            findings.append(Finding(check, textwrap.shorten(wrong, LONGEST), time.perf_counter() - started))
            say(findings[-1])
        if wrong and check.first:
            break
    return findings
