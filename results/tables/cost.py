"""The cost table: time and memory of fine-tuning, distilling and judging, for each method and IPC."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ddbench.results.cost import SetCost, SetFacts, cost_of
from ddbench.results.statistics import WHOLE, Position, Sample
from ddbench.results.tables.model import Column, Table, items
from ddbench.results.tables.text import DASH, kilobytes, seconds

COLUMNS = (
    Column("dataset", "l", "Dataset"),
    Column("arch", "l", "Model"),
    Column("IPC"),
    Column("method", "l", "Method"),
    Column("fine-tune (s)"),
    Column("embed (s)"),
    Column("distil a set (s)"),
    Column("s / image"),
    Column("judge (s)"),
    Column("memory (MiB)"),
    Column("GPU (MiB)"),
    Column("on GPU (s)"),
    Column("on CPU (s)"),
    Column("pixels (kB)"),
    Column("as PNG (kB)"),
    Column("soft labels (kB)"),
    Column("teacher (kB)"),
)


def cost_tables(samples: Mapping[Position, Sample], facts: Mapping[str, SetFacts]) -> list[Table]:
    """A table for each split and protocol, of distilled positions only."""
    groups: dict[tuple[str, str], dict[Position, Sample]] = {}
    for position, sample in samples.items():
        if position.ipc != WHOLE:
            groups.setdefault((position.split, position.protocol), {})[position] = sample
    return [_table(*group, found, facts) for group, found in groups.items()]


def _table(split: str, protocol: str, samples: Mapping[Position, Sample], facts: Mapping[str, SetFacts]) -> Table:
    first: dict[tuple[str, str], int] = {}
    for p in samples:
        first.setdefault((p.dataset, p.arch), len(first))
    order = sorted(samples, key=lambda p: (first[p.dataset, p.arch], p.ipc))
    costs = {position: cost_of(samples[position].good, facts) for position in order}
    rows = tuple(items(p.dataset, p.arch, str(p.ipc), p.method, *_texts(cost)) for p, cost in costs.items())
    priors = sorted({(p.dataset, round(cost.prior, 1)) for p, cost in costs.items() if cost.prior is not None})
    teachers = sorted({(p.dataset, round(cost.teacher, 1)) for p, cost in costs.items() if cost.teacher is not None})
    shared = "".join(
        f" Training or loading the {what} of {d}, shared by many: {seconds(s)} s."
        for what, found in (("prior", priors), ("teacher", teachers))
        for d, s in found
    )
    caption = (
        "Seconds of computing, means over distilled sets (fine-tuning serves all of them, judging is of one "
        "classifier), and the highest peak of memory of the stages that were made for the method; a dash is what was "
        "not needed or not recorded. On GPU, on CPU: these seconds by processor, judging once. Bytes of a set: its "
        "pixels, the PNG files of its export, the soft labels that classifiers learn from (a teacher's as if they were "
        f"stored), and the teacher's weights; 1 kB is 1,000 bytes.{shared} Split {split}, protocol {protocol}. Seconds "
        "of other processors, or of several stages side by side, are not comparable."
    )

    def data() -> list[dict[str, Any]]:
        return [{**vars(position), **_names(cost)} for position, cost in costs.items()]

    return Table(COLUMNS, rows, caption, data, stub=3)


def _texts(cost: SetCost) -> list[str]:
    numbers = (cost.fit, cost.embed, cost.distill, cost.per_image, cost.evaluate)
    memory = (DASH if m is None else str(m) for m in (cost.memory_mib, cost.gpu_mib))
    sizes = (cost.raw_bytes, cost.png_bytes, cost.label_bytes, cost.teacher_bytes)
    return [*map(seconds, numbers), *memory, *map(seconds, (cost.on_gpu, cost.on_cpu)), *map(kilobytes, sizes)]


def _names(cost: SetCost) -> dict[str, Any]:
    """With units: ``fit_s``, ``memory_mib``, ``png_bytes``."""
    return {
        name if name.endswith(("_mib", "_bytes")) else f"{name}_s": value
        for name, value in dataclasses.asdict(cost).items()
    }
