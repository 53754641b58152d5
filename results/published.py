"""The papers' numbers as data: every value with its paper, protocol and how well it is attested.

``published.csv`` keeps all values where papers disagree. Datasets, archs and methods have this harness's names
(ImageNet-1K is judged by torchvision's ResNet-18 with batch norm: ``resnet18-bn``); ipc 0 is the whole train split.
"""

from __future__ import annotations

import csv
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

from ddbench.results.statistics import WHOLE, Position, Sample, Select
from ddbench.results.statistics.equivalence import MARGIN, Equivalence, equivalence

Evidence = Literal["paper", "paper-figure", "transcribed", "secondary"]

EVIDENCE: dict[str, str] = {
    "paper": "read in the paper's table",
    "paper-figure": "read in the paper's figure of results",
    "transcribed": "from a transcript of the paper's table",
    "secondary": "from a third party; verify before quoting",
}
"""evidence -> what it means, best first"""

PAPERS: dict[str, str] = {
    "rsm-cgs": "Mitigating The Distribution Shift of Diffusion-based Dataset Distillation (CVPR 2026)",
    "minimax": "Gu et al., Efficient Dataset Distillation via Minimax Diffusion (CVPR 2024)",
    "mgd3": "MGD3 (ICML 2025)",
    "igd": "IGD (ICLR 2025)",
}

SPLIT = "ilsvrc/test"
"""of all papers: trained on the ILSVRC-2012 train folders, tested on its validation images"""
VERSION = "@2"
"""of this harness's protocol of the same name"""
EPOCH: Select = "best"
"""of all papers: the best epoch by the judged images"""


@dataclass(frozen=True)
class Published:
    """A number in a paper. ``top1`` and ``std`` are fractions; papers differ in what ± and n are."""

    paper: str
    dataset: str
    arch: str
    ipc: int
    method: str
    top1: float
    std: float | None
    protocol: str
    """without a version"""
    inferred: bool
    """whether the protocol is not stated in the paper, but follows from other statements"""
    labels: str
    evidence: Evidence
    source: str

    @property
    def text(self) -> str:
        """``37.0 ± 1.0``"""
        return f"{100 * self.top1:.1f}" + ("" if self.std is None else f" ± {100 * self.std:.1f}")


OTHER = ("other protocol", "other split", "other epoch")
"""verdicts on measurements of another kind than the published value: they say nothing of it"""


def load_published() -> list[Published]:
    """All published values, in the order of the file."""
    text = (files("ddbench.results") / "published.csv").read_text(encoding="utf-8")
    return [_parsed(row) for row in csv.DictReader(text.splitlines())]


def of_place(position: Position, published: Iterable[Published]) -> list[Published]:
    """The published values of a dataset, arch, ipc and method, whatever their protocol."""
    place = (position.dataset, position.arch, position.ipc, position.method)
    return [value for value in published if (value.dataset, value.arch, value.ipc, value.method) == place]


@dataclass(frozen=True)
class Beside:
    """A measurement beside a published value. ``equivalence`` is None where the two are not tested."""

    verdict: str
    """``reproduced``, ``differs``, ``not shown``, or why the two are not tested"""
    difference: float | None = None
    """measured minus published, a fraction; None where they are not of one kind, or there is no measured mean"""
    equivalence: Equivalence | None = None


def beside(value: Published, sample: Sample | None, margin: float = MARGIN) -> Beside:
    """Whether a measurement reproduces a published value to within ``margin`` (a fraction).

    Only under the same protocol, split and kind of epoch does it say anything, and only over several distilled sets (of
    the whole train split: classifiers). The published value is taken as it is given: papers' ± are of different things.
    """
    if sample is None:
        return Beside("not run")
    if sample.position.protocol != value.protocol + VERSION:
        return Beside(OTHER[0])
    if sample.position.split != SPLIT:
        return Beside(OTHER[1])
    if sample.note:
        return Beside(sample.note)
    if sample.select != EPOCH:
        return Beside(OTHER[2])
    draws = list(sample.draws.values())
    difference = statistics.fmean(draws) - value.top1
    tested = equivalence(draws, value.top1, margin)
    if tested is None:
        one = "classifier" if sample.position.ipc == WHOLE else "set"
        return Beside(f"not tested: one {one}", difference)
    return Beside(tested.verdict, difference, tested)


def _parsed(row: dict[str, str]) -> Published:
    std = row["std_percent"]
    return Published(
        paper=row["paper"],
        dataset=row["dataset"],
        arch=row["arch"],
        ipc=int(row["ipc"]),
        method=row["method"],
        top1=round(float(row["top1_percent"]) / 100, 6),
        std=round(float(std) / 100, 6) if std else None,
        protocol=row["protocol"],
        inferred=row["protocol_inferred"] == "yes",
        labels=row["labels"],
        evidence=row["evidence"],  # type: ignore[arg-type]
        source=row["source"],
    )
