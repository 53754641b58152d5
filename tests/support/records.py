"""Records of cells that were never run, for what is made of records."""

from __future__ import annotations

import numpy as np

from ddbench.results.statistics import Position, Sample, samples
from ddbench.store.opening import open_store
from ddbench.types import Cell, Record


def cell(method="m", seed=0, eval_seed=0, ipc=1, **kw):
    return Cell(
        **{"dataset": "d", "split": "s/test", "arch": "net", "protocol": "p@1", **kw},
        ipc=ipc,
        method=method,
        seed=seed,
        eval_seed=eval_seed,
    )


def record(c, last, best=None, outcome="ok", variant="v", right=None, run=None, parents=(), key="", **evaluate):
    """``right``: for each image whether the final model was right."""
    curve = ((1, last if best is None else best), (2, last)) if outcome == "ok" else ()
    return Record(
        key=key or str(c),
        cell=c,
        outcome=outcome,
        reason="" if outcome == "ok" else "it broke",
        curve=curve,
        correct="" if right is None else np.packbits(np.asarray(right, dtype=bool)).tobytes().hex(),
        n_images=0 if right is None else len(right),
        config={"evaluate": {"variant": variant, "parents": list(parents), **evaluate}},
        run=run or {},
    )


def judged(c, right, **kw):
    """A record whose accuracy is that of the images."""
    return record(c, float(np.mean(right)), right=right, **kw)


def sampled(records, select="last", wanted=None) -> dict[Position, Sample]:
    return samples({r.cell: r.key for r in records} if wanted is None else wanted, records, select)


def sample(records, **kw) -> Sample:
    (found,) = sampled(records, **kw).values()
    return found


def stored(folder, records, name="study"):
    """A store at ``folder`` with a run that asked for ``records``, which it holds."""
    store = open_store(folder, create=True)
    for one in records:
        store.write_record(one)
    cells = {one.cell: one.key for one in records}
    store.write_run({"name": name, "config": {}, "cells": [[vars(c), key] for c, key in cells.items()]})
    return store


def hexkey(n):
    """A key as real ones are."""
    return f"{n:032x}"
