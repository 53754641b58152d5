"""What a study of 10,000 cells costs to look at. ``pytest tests/perf/test_store.py -s`` prints the seconds."""

import json
import time
import uuid

import pytest

from ddbench.store.leases import Leases
from ddbench.store.opening import open_store
from ddbench.types import Cell, Record

CELLS = 10_000


def record(n):
    """As large as one of the digits study with provenance: about 5 KB."""
    cell = Cell("digits", "s/test", "convnet3-w32", 1, "rsm_cgs", "cpu-small@1", n, 0)
    stage = {"code": "0" * 32, "options": {f"option{i}": i / 7 for i in range(30)}, "networks": ["convnet3"] * 5}
    config = {kind: {"task": stage, "digest": uuid.UUID(int=n).hex} for kind in ("prior", "fit", "distill", "evaluate")}
    curve = tuple((epoch, epoch / 100) for epoch in range(10))
    run = {"started": "2026-01-01", "provenance": {"packages": {f"package{i}": "1.2.3" for i in range(20)}}}
    return Record(uuid.UUID(int=n).hex, cell, "ok", "", curve, "ab" * 90, 720, config, run)


@pytest.fixture(scope="module", params=["folder", "file"])
def store(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_CACHE", str(folder / "cache"))
        made = open_store(str(folder / "s") if request.param == "folder" else f"file://{folder}/s", create=True)
        there = folder / "s" / "records"
        there.mkdir(exist_ok=True)
        for n in range(CELLS):
            found = record(n)
            (there / f"{found.key}.ok.{n:012}.json").write_text(json.dumps(found.to_json()))
        (folder / "s" / "runs").mkdir(exist_ok=True)
        for n in range(20):
            (folder / "s" / "runs" / f"{n:020}-00000000.json").write_text(
                json.dumps({"cells": [[vars(record(n).cell), "0" * 32] for n in range(1000)]})
            )
        yield made


def seconds(label, call):
    began = time.perf_counter()
    found = call()
    print(f"\n{label}: {time.perf_counter() - began:.2f} s", flush=True)
    return found


def test_records(store):
    assert len(seconds(f"{type(store).__name__}: the first records() of {CELLS:,}", store.records)) == CELLS
    assert len(seconds(f"{type(store).__name__}: records() of {CELLS:,}", store.records)) == CELLS


def test_done(store):
    assert len(seconds(f"{type(store).__name__}: done() of {CELLS:,}", store.done)) == CELLS


def test_runs(store):
    assert len(seconds(f"{type(store).__name__}: runs(), 20 of 1,000 cells", store.runs)) == 20


def test_has(store):
    keys = [uuid.UUID(int=n).hex for n in range(CELLS)]
    label = f"{type(store).__name__}: has() of {CELLS:,} that are not there"
    assert seconds(label, lambda: sum(store.has("distill", key) for key in keys)) == 0


def test_claims(store):
    leases = Leases(store)
    keys = [str(n) for n in range(1000)]

    def claim_and_release():
        for key in keys:
            assert leases.claim(key)
            leases.release(key)

    seconds(f"{type(store).__name__}: 1,000 leases claimed and released", claim_and_release)
    leases.close()
