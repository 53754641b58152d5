"""Running the checks on a method or a dataset."""

from __future__ import annotations

import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ddbench.config.study import Study
from ddbench.conformance.checks import CHECKS, UNTRIED, Check
from ddbench.conformance.datasets import DATASET_CHECKS, DatasetUnderTest
from ddbench.conformance.elsewhere import Asked, digests_elsewhere, splits_elsewhere
from ddbench.conformance.raised import Told, described
from ddbench.conformance.under_test import MethodUnderTest, sample_of
from ddbench.images import LabeledImages

ASKED = ((2, 0), (2, UNTRIED))
"""(ipc, seed) of the sets that another process distils"""

LONGEST = 400
"""most characters of a finding"""


@dataclass(frozen=True)
class Finding:
    """The result of a check: ``wrong`` is empty when the rule is kept.

    untried: the rule under which the exception was told that this check raised too; empty where it raised none.
    """

    check: Check
    wrong: str
    seconds: float
    untried: str = ""
    raised: bool = False
    """whether ``wrong`` is an exception, so that the rule itself was not tried"""

    @property
    def advice(self) -> str:
        """What to do about it."""
        return "mend what raises: the rule itself could not be tried" if self.raised else self.check.advice


Tell = Callable[[Finding], None]
Busy = Callable[[Check, float, float], None]
"""told every ``BUSY_EVERY`` seconds: the rule that is tried, for how many seconds, and the share of the work at hand
that is done, as the method reports it (0 where it does not)"""

BUSY_EVERY = 15.0
"""seconds"""


def run_checks(
    study: Study,
    name: str,
    say: Tell = lambda _: None,
    checks: Sequence[Check] = CHECKS,
    busy: Busy = lambda *_: None,
) -> list[Finding]:
    """Run the checks on the method ``name`` of a study of one dataset; stop after a failed check that is ``first``."""
    (dataset,) = study.datasets.values()
    method, sample = study.methods[dataset.name, name], sample_of(dataset)

    @cache
    def others() -> dict[Asked, str] | Told:
        try:
            return digests_elsewhere(study, ASKED)[name]
        except Told as error:
            return error

    def elsewhere(*asked: int) -> str:
        if isinstance(found := others(), Told):
            raise found
        return found[asked]  # type: ignore[index]

    def subject(folder: Path) -> MethodUnderTest:
        real = LabeledImages(sample.images.clone(), sample.labels.clone(), sample.classes)
        return MethodUnderTest(method, real, study.networks, folder, elsewhere=elsewhere)

    return _run(checks, subject, say, busy)


def run_dataset_checks(
    study: Study, say: Tell = lambda _: None, checks: Sequence[Check] = DATASET_CHECKS
) -> list[Finding]:
    """Run the checks on the one dataset of a study; stop after a failed check that is ``first``."""
    (dataset,) = study.datasets.values()
    subject = DatasetUnderTest(dataset, lambda splits: splits_elsewhere(study, dataset, splits))
    return _run(checks, lambda folder: subject, say)


def _run(
    checks: Sequence[Check], subject: Callable[[Path], Any], say: Tell, busy: Busy = lambda *_: None
) -> list[Finding]:
    findings: list[Finding] = []
    told: dict[str, str] = {}
    for check in checks:
        with tempfile.TemporaryDirectory() as folder:
            started, raised = time.perf_counter(), ""
            try:
                tried = subject(Path(folder))
                with _told_while(check, tried, busy):
                    wrong = check.find(tried)
            except (Exception, SystemExit) as error:  # any error of a plug-in is a finding
                raised = wrong = described(error)
            first = told.setdefault(raised, check.name) if raised else ""
            again = first if first != check.name else ""
            wrong = "" if again else textwrap.shorten(wrong, LONGEST)
            told_here = bool(raised) and not again
            findings.append(Finding(check, wrong, time.perf_counter() - started, again, told_here))
            say(findings[-1])
        if wrong and check.first:
            break
    return findings


@contextmanager
def _told_while(check: Check, subject: Any, busy: Busy) -> Iterator[None]:
    """Within the block ``busy`` is told, from another thread."""
    started, over = time.perf_counter(), threading.Event()

    def tell() -> None:
        while not over.wait(BUSY_EVERY):
            busy(check, time.perf_counter() - started, getattr(subject, "done", 0.0))

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()
