"""The cost table: accuracy beside time, memory and storage of each method and IPC."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from ddbench.results.cost import SetCost, SetFacts, cost_of
from ddbench.results.statistics import WHOLE, Position, Sample
from ddbench.results.tables.captions import Spread, epoch, spread_words
from ddbench.results.tables.model import Column, Table, items, told_columns
from ddbench.results.tables.text import DASH, as_text, kilobytes, seconds

STUB = (Column("dataset", "l", "Dataset"), Column("arch", "l", "Model"), Column("IPC"), Column("method", "l", "Method"))


def _seconds(name: str) -> Callable[[SetCost], str]:
    return lambda cost: seconds(getattr(cost, name))


def _some_seconds(name: str) -> Callable[[SetCost], str]:
    """A dash where nothing ran there."""
    return lambda cost: seconds(getattr(cost, name) or None)


def _memory(name: str) -> Callable[[SetCost], str]:
    return lambda cost: DASH if getattr(cost, name) is None else str(getattr(cost, name))


def _bytes(name: str) -> Callable[[SetCost], str]:
    """A dash where there are none."""
    return lambda cost: kilobytes(getattr(cost, name) or None)


COLUMNS: tuple[tuple[Column, Callable[[SetCost], str]], ...] = (
    (Column("fine-tune (s)"), _seconds("fit")),
    (Column("embed (s)"), _seconds("embed")),
    (Column("distil a set (s)"), _seconds("distill")),
    (Column("s / image"), _seconds("per_image")),
    (Column("judge (s)"), _seconds("evaluate")),
    (Column("memory (MiB)"), _memory("memory_mib")),
    (Column("GPU (MiB)"), _memory("gpu_mib")),
    (Column("on GPU (s)"), _some_seconds("on_gpu")),
    (Column("on CPU (s)"), _some_seconds("on_cpu")),
    (Column("teacher (s)"), _seconds("teacher")),
    (Column("pixels (kB)"), _bytes("raw_bytes")),
    (Column("as PNG (kB)"), _bytes("png_bytes")),
    (Column("soft labels (kB)"), _bytes("label_bytes")),
    (Column("teacher (kB)"), _bytes("teacher_bytes")),
)


def cost_tables(
    samples: Mapping[Position, Sample], facts: Mapping[str, SetFacts], spread: Spread = "sd"
) -> list[Table]:
    """A table for each split and protocol, of distilled positions only; columns that tell nothing are left out."""
    groups: dict[tuple[str, str], dict[Position, Sample]] = {}
    for position, sample in samples.items():
        if position.ipc != WHOLE:
            groups.setdefault((position.split, position.protocol), {})[position] = sample
    return [_table(*group, found, facts, spread) for group, found in groups.items()]


def _table(
    split: str, protocol: str, samples: Mapping[Position, Sample], facts: Mapping[str, SetFacts], spread: Spread
) -> Table:
    first: dict[tuple[str, str], int] = {}
    for p in samples:
        first.setdefault((p.dataset, p.arch), len(first))
    order = sorted(samples, key=lambda p: (first[p.dataset, p.arch], p.ipc))
    costs = {position: cost_of(samples[position].good, facts) for position in order}
    columns, texts = told_columns(
        [column for column, _ in COLUMNS], [[text(cost) for _, text in COLUMNS] for cost in costs.values()]
    )
    rows = tuple(
        items(p.dataset, p.arch, str(p.ipc), p.method, as_text(samples[p].estimate, spread), *told)
        for p, told in zip(order, texts, strict=True)
    )
    priors = sorted({(p.dataset, round(cost.prior, 1)) for p, cost in costs.items() if cost.prior is not None})
    shared = "".join(f" Training or loading the prior of {d}, shared by many: {seconds(s)} s." for d, s in priors)
    if any(column.title.startswith("teacher") for column in columns):
        shared += (
            " Teacher: training or loading those of the method and of its judge, each once, since many share them, and "
            "the weights of the one that makes the labels, or else of the method's own."
        )
    accuracy = f"Top-1 accuracy (%) {epoch(next(iter(samples.values())).select)}: mean ± {spread_words(spread)}"
    caption = (
        f"{accuracy} over distilled sets. Seconds of computing, means over distilled sets (fine-tuning serves all of "
        "them, judging is of one classifier), and the highest peak of memory of the stages that were made for the "
        "method; a dash is what was not needed or not recorded, and columns of dashes are left out. On GPU, on CPU: "
        "fine-tuning, embedding, distilling and judging once, by processor. Bytes of a set: its pixels, the PNG files "
        "of its export, and the soft labels that classifiers learn from (a teacher's as if they were stored); 1 kB is "
        f"1,000 bytes.{shared} Split {split}, protocol {protocol}. Seconds of other processors, or of several stages "
        "side by side, are not comparable."
    )

    def data() -> list[dict[str, Any]]:
        return [
            {
                **vars(position),
                "top1": samples[position].estimate.mean,
                "sd": samples[position].estimate.sd,
                **_names(cost),
            }
            for position, cost in costs.items()
        ]

    return Table((*STUB, Column("top-1"), *columns), rows, caption, data, stub=3)


def _names(cost: SetCost) -> dict[str, Any]:
    """With units: ``fit_s``, ``memory_mib``, ``png_bytes``."""
    return {
        name if name.endswith(("_mib", "_bytes")) else f"{name}_s": value
        for name, value in dataclasses.asdict(cost).items()
    }
