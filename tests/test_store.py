"""Artifacts and records: whole or absent, immutable, and set aside when damaged."""

import json
import os

import pytest

from benchmark.errors import BenchError, CorruptArtifact
from benchmark.store import Store, write_atomically
from benchmark.types import Cell, Record

CELL = Cell("d", "s/test", "a", 1, "m", "p@1", 0, 0)


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store", create=True)


def write(store, key="k1", content=b"pixels"):
    store.write("distill", key, lambda folder: (folder / "x.bin").write_bytes(content), {"log": {}})


def record(key="c1", outcome="ok", started="2026-01-01", **kw):
    return Record(key=key, cell=CELL, outcome=outcome, curve=((1, 0.5),), run={"started": started}, **kw)


def test_an_artifact_is_read_as_it_was_written(store):
    assert not store.has("distill", "k1")
    write(store)
    assert store.has("distill", "k1")
    assert (store.read("distill", "k1") / "x.bin").read_bytes() == b"pixels"


def test_a_writer_that_fails_leaves_nothing(store):
    def fail(folder):
        (folder / "x.bin").write_bytes(b"half")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        store.write("distill", "k1", fail, {})
    assert not store.has("distill", "k1")
    assert os.listdir(store.root / "artifacts" / "distill") == []


def test_the_first_of_two_writers_wins(store):
    write(store, content=b"first")
    write(store, content=b"other")
    assert (store.read("distill", "k1") / "x.bin").read_bytes() == b"first"
    assert len(os.listdir(store.root / "artifacts" / "distill")) == 1


def test_truncation_is_seen_by_size_and_other_damage_by_digest(store):
    write(store)
    path = store.folder("distill", "k1") / "x.bin"
    path.write_bytes(b"pixelz")
    assert store.has("distill", "k1")
    with pytest.raises(CorruptArtifact, match="does not have the digest"):
        store.read("distill", "k1")
    path.write_bytes(b"pix")
    with pytest.raises(CorruptArtifact, match="3 bytes instead of 6"):
        store.has("distill", "k1")


@pytest.mark.parametrize("manifest", ["", "{", "[]", '{"key": "other", "files": {}}'])
def test_a_damaged_manifest_is_damage(store, manifest):
    write(store)
    (store.folder("distill", "k1") / "manifest.json").write_text(manifest)
    with pytest.raises(CorruptArtifact):
        store.has("distill", "k1")


def test_damage_is_set_aside_not_deleted(store):
    write(store)
    target = store.set_aside("distill", "k1")
    assert not store.has("distill", "k1")
    assert (target / "x.bin").read_bytes() == b"pixels"


def test_a_success_counts_before_any_failure_and_the_latest_failure_before_others(store):
    store.write_record(record("c1", "failed", "2026-01-03"))
    store.write_record(record("c1", "ok", "2026-01-01"))
    store.write_record(record("c2", "failed", "2026-01-02", reason="second"))
    store.write_record(record("c2", "timeout", "2026-01-01", reason="first"))
    assert [(r.key, r.outcome) for r in store.records()] == [("c1", "ok"), ("c2", "failed")]
    assert store.done() == {"c1"}
    assert [r.key for r in store.records(["c2"])] == ["c2"]


def test_a_record_survives_the_disk(store):
    written = record(config={"evaluate": {"x": 1}}, correct="ff", n_images=8)
    store.write_record(written)
    assert store.records() == [written]


def test_a_truncated_record_is_set_aside_and_said(store):
    store.write_record(record())
    (path,) = (store.root / "records").glob("*.json")
    path.write_bytes(path.read_bytes()[:20])
    said = []
    assert store.records(say=said.append) == []
    assert "damaged" in said[0]
    assert store.done() == set()
    assert (store.root / "set-aside" / path.name).exists()


def test_a_write_is_whole_or_absent(tmp_path, monkeypatch):
    path = tmp_path / "f"
    write_atomically(path, b"old")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["f"]


def test_what_a_killed_process_left_is_removed_and_a_living_ones_is_not(store):
    folder = store.root / "artifacts" / "distill"
    folder.mkdir(exist_ok=True)
    import socket

    host, dead, alive = socket.gethostname(), 2**22 - 3, os.getpid()
    for pid in (dead, alive):
        (folder / f".k.{host}~{pid}~abc.tmp").mkdir()
    (folder / f".k.elsewhere~{dead}~abc.tmp").mkdir()
    Store.open(store.root, create=True)
    assert sorted(os.listdir(folder)) == sorted([f".k.{host}~{alive}~abc.tmp", f".k.elsewhere~{dead}~abc.tmp"])


def test_what_is_not_a_store_is_refused(tmp_path):
    with pytest.raises(BenchError, match="there is no store at"):
        Store.open(tmp_path / "no", create=False)
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(BenchError, match="a folder of something else"):
        Store.open(tmp_path, create=True)
    (tmp_path / "file").touch()
    with pytest.raises(BenchError, match="cannot write to the store"):
        Store.open(tmp_path / "file" / "store", create=True)


@pytest.mark.parametrize(
    ("marker", "message"), [("", "is damaged"), ("[]", "is damaged"), (json.dumps({"format": 99}), "has format 99")]
)
def test_a_store_that_cannot_be_read_is_refused(store, marker, message):
    (store.root / "store.json").write_text(marker)
    with pytest.raises(BenchError, match=message):
        Store.open(store.root, create=True)
