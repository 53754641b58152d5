"""Tables and boards of 10,000 records. ``pytest tests/perf/test_results.py -s`` prints the seconds."""

import json
import time

import numpy as np
import pytest

from ddbench.store.opening import open_store
from ddbench.types import Cell, Record
from tests.support.invoke import invoke

METHODS, IPCS, ARCHS, SEEDS, EVAL_SEEDS, IMAGES = 10, 4, 5, 10, 5, 500


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results") / "s"
    store, random = open_store(folder, create=True), np.random.default_rng(0)
    cells = []
    for n, (m, i, a, s, e) in enumerate(np.ndindex(METHODS, IPCS, ARCHS, SEEDS, EVAL_SEEDS)):
        cell = Cell("d", "s/test", f"net{a}", 10**i, f"method{m}", "p@1", s, e)
        right = random.random(IMAGES) < 0.5 + m / 50
        config = {"evaluate": {"variant": f"v{m}", "parents": [f"{m}{i}{s}"], "options": list(range(100))}}
        run = {"seconds": {"distill": 1.0, "evaluate": 2.0}, "provenance": {f"package{k}": "1.2.3" for k in range(40)}}
        curve = tuple((k, float(right.mean())) for k in range(10))
        record = Record(f"{n:032x}", cell, "ok", "", curve, np.packbits(right).tobytes().hex(), IMAGES, config, run)
        (folder / "records" / f"{record.key}.ok.{n:012x}.json").write_text(json.dumps(record.to_json()))
        cells.append([vars(cell), record.key])
    store.write_run({"name": "large", "config": {}, "cells": cells})
    return folder


@pytest.mark.parametrize(
    "arguments",
    [
        ("table",),
        ("table", "--format", "csv"),
        ("table", "--layout", "ablation"),
        ("table", "--layout", "cost"),
        ("leaderboard",),
    ],
    ids=" ".join,
)
def test_ten_thousand_records(folder, arguments):
    where = [folder] if arguments[0] == "leaderboard" else ["--store", folder]
    began = time.perf_counter()
    done = invoke(arguments[0], *where, *arguments[1:])
    print(f"\nbench {' '.join(arguments)}, 10,000 records: {time.perf_counter() - began:.1f} s", flush=True)
    assert done.returncode == 0 and "method9" in done.stdout
