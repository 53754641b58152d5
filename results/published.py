"""The papers' numbers as data: every value with its paper, protocol and how well it is attested.

``published.csv`` keeps all values where papers disagree. Datasets, archs and methods have this harness's names
(ImageNet-1K is judged by torchvision's ResNet-18 with batch norm: ``resnet18-bn``); ipc 0 is the whole train split.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

from ddbench.results.statistics import Estimate, Position

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
"""all of them train on the ILSVRC-2012 train folders and test on its validation images"""
VERSION = "@2"
"""of this harness's protocol of the same name"""


@dataclass(frozen=True)
class Published:
    """A number in a paper. ``top1`` and ``std`` are fractions; papers mean different things by ±, and by n."""

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
    """whether the protocol is not stated, but follows from what is"""
    labels: str
    evidence: Evidence
    source: str

    @property
    def text(self) -> str:
        """``37.0 ± 1.0``"""
        return f"{100 * self.top1:.1f}" + ("" if self.std is None else f" ± {100 * self.std:.1f}")


OTHER = ("other protocol", "other split")
"""verdicts on a measurement that says nothing of the published value"""


def load_published() -> list[Published]:
    """All published values, in the order of the file."""
    text = (files("ddbench.results") / "published.csv").read_text(encoding="utf-8")
    return [_parsed(row) for row in csv.DictReader(text.splitlines())]


def of_place(position: Position, published: Iterable[Published]) -> list[Published]:
    """What papers say of a dataset, arch, ipc and method, under whatever protocol."""
    place = (position.dataset, position.arch, position.ipc, position.method)
    return [value for value in published if (value.dataset, value.arch, value.ipc, value.method) == place]


def verdict(value: Published, position: Position, measured: Estimate | None) -> str:
    """What a measurement says of a published value.

    Only under the same protocol and split does it say anything: ``reproduced`` where the value lies in the 95 %
    interval of the measurement, else ``outside the interval``. Without an interval it says nothing: ``single set``.
    """
    if measured is None:
        return "not run"
    if position.protocol != value.protocol + VERSION:
        return OTHER[0]
    if position.split != SPLIT:
        return OTHER[1]
    if measured.mean is None:
        return measured.note
    interval = measured.interval()
    if interval is None:
        return "single set, no interval"
    return "reproduced" if value.top1 in interval else "outside the interval"


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
