"""A store as a study would leave it, written by hand: tests of reports need results, not training."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import torch

from ddbench.keys import digest
from ddbench.store.distilled import save_distilled
from ddbench.store.folder import Store
from ddbench.store.opening import open_store
from ddbench.types import Cell, LabeledImages, Record

DIGITS = "0b7e9c3202d7bcd255d6a19a238d3743bf5e320ba74812a6679958a017c55382"
CLASSES = tuple(str(digit) for digit in range(10))
PROVENANCE = {
    "python": "3.11.7",
    "packages": {"torch": "2.14.1"},
    "git": {"commit": "c0ffee" * 6 + "beef", "dirty": False},
    "platform": "Linux",
    "processor": "a processor",
    "cores": 2,
}


def accuracy(cell: Cell) -> float:
    """What a cell scores at its last epoch, unless a test says otherwise: methods by their length, rising with ipc."""
    return min(0.5 + 0.03 * len(cell.method) % 0.2 + 0.1 * (cell.ipc > 1) + 0.01 * cell.seed + 0.02 * cell.eval_seed, 1)


def make_store(
    root: Path,
    *,
    methods: tuple[str, ...] = ("random", "dm", "rsm_cgs"),
    ipc: tuple[int, ...] = (1, 2),
    seeds: int = 3,
    eval_seeds: int = 2,
    outcome: Callable[[Cell], str] = lambda cell: "ok",
    reason: str = "",
    whole: bool = False,
    scored: Callable[[Cell], float] = accuracy,
    classes: tuple[str, ...] = CLASSES,
) -> Store:
    """A finished study. ``outcome`` may say ``missing``; with ``whole`` a method stands for the whole train split."""
    store = open_store(root, create=True)
    cells = [
        Cell("digits", "stratified-60-20-20/test", "convnet3-w32", n, method, "cpu-small@1", seed, eval_seed)
        for method in methods
        for n in ipc
        for seed in range(seeds)
        for eval_seed in range(eval_seeds)
    ]
    if whole:
        cells += [dataclasses.replace(cells[0], method="full", ipc=0, eval_seed=e) for e in range(eval_seeds)]
    keys = {cell: digest(dataclasses.asdict(cell)) for cell in cells}
    described = {"type": "ddbench.data.digits:Digits", "name": "digits", "fingerprint": DIGITS, "code": "0"}
    for cell, key in keys.items():
        result = outcome(cell)
        if result == "missing":
            continue
        set_key = digest([cell.method, cell.ipc, cell.seed])
        task = {"stage": "distill", "dataset": described, "method": {"type": f"m:{cell.method}"}, "seed": cell.seed}
        task |= {"state": [], "chain": []}
        parents = [] if cell.ipc == 0 or result == "skipped" else [set_key]
        if parents and not store.exists("distill", set_key):
            made = images(cell, classes)
            about = {"task": task, "run": {"seconds": 2.0, "provenance": PROVENANCE}}
            store.write("distill", set_key, lambda folder, made=made: save_distilled(made, folder), about)
        last, good = scored(cell), result == "ok"
        store.write_record(
            Record(
                key=key,
                cell=cell,
                outcome=result,
                reason="" if good else reason,
                curve=((10, last - 0.1), (20, last + 0.05), (30, last)) if good else (),
                n_images=100,
                config={
                    **({"distill": task} if parents else {}),
                    "evaluate": {"stage": "evaluate", "parents": parents, "variant": cell.method, "dataset": described},
                },
                run={
                    "started": f"2026-01-02T03:04:{cell.seed:02}+00:00",
                    "finished": "2026-01-02T03:05:00+00:00",
                    "seconds": {"prior": 100.0, "fit": 4.0, "distill": 2.0 + len(cell.method), "evaluate": 1.0},
                    "provenance": PROVENANCE,
                },
            )
        )
    asked = [[dataclasses.asdict(cell), key] for cell, key in keys.items()]
    store.write_run({"name": "made", "config": {"description": "made by hand"}, "cells": asked})
    return store


def images(cell: Cell, classes: tuple[str, ...]) -> LabeledImages:
    """The distilled set of a cell: noise that depends on its coordinates."""
    random = torch.Generator().manual_seed(1000 * cell.ipc + 10 * cell.seed + len(cell.method))
    labels = torch.arange(len(classes)).repeat_interleave(cell.ipc)
    pixels = torch.randint(0, 256, (len(labels), 1, 8, 8), generator=random, dtype=torch.uint8)
    return LabeledImages(pixels, labels, classes)
