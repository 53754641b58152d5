"""The store in a folder: whole or absent, immutable, set aside when damaged. test_object_store has all kinds."""

import errno
import json
import os

import pytest

from ddbench.errors import BenchError, CorruptArtifact
from ddbench.store.durable import StoreFull
from ddbench.store.folder import write_atomically
from ddbench.store.opening import open_store
from ddbench.types import Cell, Record

CELL = Cell("d", "s/test", "a", 1, "m", "p@1", 0, 0)


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store", create=True)


def write(store, key="k1", content=b"pixels"):
    store.write("distill", key, lambda folder: (folder / "x.bin").write_bytes(content), {"log": {}})


def record(key="c1", outcome="ok", started="2026-01-01", **kw):
    return Record(key=key, cell=CELL, outcome=outcome, curve=((1, 0.5),), run={"started": started}, **kw)


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
    open_store(store.root, create=True)
    assert sorted(os.listdir(folder)) == sorted([f".k.{host}~{alive}~abc.tmp", f".k.elsewhere~{dead}~abc.tmp"])


def test_what_is_not_a_store_is_refused(tmp_path):
    with pytest.raises(BenchError, match="there is no store at"):
        open_store(tmp_path / "no", create=False)
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(BenchError, match="a folder of something else"):
        open_store(tmp_path, create=True)
    (tmp_path / "file").touch()
    with pytest.raises(BenchError, match="cannot write to the store"):
        open_store(tmp_path / "file" / "store", create=True)


@pytest.mark.parametrize(
    ("marker", "message"), [("", "is damaged"), ("[]", "is damaged"), (json.dumps({"format": 99}), "has format 99")]
)
def test_a_store_that_cannot_be_read_is_refused(store, marker, message):
    (store.root / "store.json").write_text(marker)
    with pytest.raises(BenchError, match=message):
        open_store(store.root, create=True)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_leaves_nothing_and_is_said_in_a_line(store, number):
    def fill(folder):
        (folder / "x.bin").write_bytes(b"half")
        raise OSError(number, os.strerror(number), str(folder / "x.bin"))

    with pytest.raises(StoreFull, match=r"the disk of the store .*store is full.*Make room") as caught:
        store.write("distill", "k1", fill, {})
    assert len(str(caught.value).splitlines()) == 1
    assert not store.has("distill", "k1")
    assert os.listdir(store.root / "artifacts" / "distill") == []


def test_a_full_disk_is_known_by_what_a_library_quotes(store):
    def fill(folder):
        raise RuntimeError('IoError: Os { code: 28, kind: StorageFull, message: "No space left on device" }')

    with pytest.raises(StoreFull):
        store.write("distill", "k1", fill, {})


def test_a_disk_that_is_full_when_a_record_is_written_leaves_no_record(store, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(StoreFull):
        store.write_record(record())
    assert os.listdir(store.root / "records") == []


def test_an_error_of_the_disk_is_not_hidden_by_what_another_writer_made(store):
    def fill(folder):
        write(store, content=b"another's")
        raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        store.write("distill", "k1", fill, {})
    assert (store.read("distill", "k1") / "x.bin").read_bytes() == b"another's"


def test_a_failure_that_a_success_stands_before_is_not_read(store):
    store.write_record(record("c1", "failed"))
    (path,) = (store.root / "records").glob("*.json")
    path.write_bytes(b"{")
    store.write_record(record("c1", "ok"))
    said = []
    assert [r.outcome for r in store.records(say=said.append)] == ["ok"]
    assert said == []


def test_a_success_that_cannot_be_read_gives_way_to_the_next(store):
    for _ in range(2):
        store.write_record(record("c1", "ok"))
    min((store.root / "records").glob("*.json")).write_bytes(b"{")
    said = []
    assert [r.outcome for r in store.records(say=said.append)] == ["ok"]
    assert len(said) == 1


def test_setting_aside_what_another_driver_set_aside_is_no_error(store):
    write(store)
    store.set_aside("distill", "k1")
    store.set_aside("distill", "k1")
    assert not store.has("distill", "k1")
