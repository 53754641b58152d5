"""One suite for every kind of store, and what only a store at a URL must withstand."""

import json
import os
import sys
import uuid

import pytest

from ddbench.errors import BenchError, CorruptArtifact
from ddbench.store.bucket import RemoteStore
from ddbench.store.durable import StoreFull
from ddbench.store.leases import Leases
from ddbench.store.objects import Objects
from ddbench.store.opening import open_store, store_at, store_exists
from ddbench.types import Cell, Record
from tests.support.invoke import invoke

CELL = Cell("d", "s/test", "a", 1, "m", "p@1", 0, 0)


def write(store, key="k1", content=b"pixels", name="x.bin", **about):
    def fill(folder):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)

    store.write("distill", key, fill, {"log": {}, **about})


def content(store, key="k1", name="x.bin"):
    return (store.read("distill", key) / name).read_bytes()


def record(key="c1", outcome="ok", started="2026-01-01", **kw):
    return Record(key=key, cell=CELL, outcome=outcome, curve=((1, 0.5),), run={"started": started}, **kw)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))


def address(kind, tmp_path):
    return {
        "folder": str(tmp_path / "store"),
        "file": f"file://{tmp_path}/remote/store",
        "memory": f"memory://{uuid.uuid4().hex}/store",
    }[kind]


@pytest.fixture(params=["folder", "file", "memory"])
def where(request, tmp_path):
    return address(request.param, tmp_path)


@pytest.fixture(params=["file", "memory"])
def url(request, tmp_path):
    return address(request.param, tmp_path)


@pytest.fixture
def machine(url, tmp_path, monkeypatch):
    """The store as a machine of this name sees it: each has a cache of its own."""

    def see(name):
        monkeypatch.setenv("BENCH_CACHE", str(tmp_path / name))
        return open_store(url, create=True)

    return see


# Every kind of store


def test_an_artifact_is_read_as_it_was_written(where):
    store = open_store(where, create=True)
    assert not store.has("distill", "k1")
    assert store.artifacts() == []
    write(store, name="deep/x.bin", task={"a": 1})
    for opened in (store, store_at(store.address), open_store(where, create=False)):
        assert opened.has("distill", "k1")
        assert opened.exists("distill", "k1")
        assert content(opened, name="deep/x.bin") == b"pixels"
        assert opened.manifest("distill", "k1")["task"] == {"a": 1}
        assert opened.artifacts() == [("distill", "k1")]


def test_the_first_of_two_writers_wins(where):
    store, other = (open_store(where, create=True) for _ in range(2))
    write(store, content=b"first")
    write(other, content=b"other")
    assert content(store) == content(other) == b"first"


def test_what_is_missing_is_said(where):
    store = open_store(where, create=True)
    for ask in (store.read, store.manifest):
        with pytest.raises(CorruptArtifact):
            ask("distill", "k1")


def test_what_was_set_aside_is_made_anew(where):
    store = open_store(where, create=True)
    write(store, content=b"bad")
    assert (store.set_aside("distill", "k1") / "x.bin").read_bytes() == b"bad"
    assert not store.has("distill", "k1")
    write(store, content=b"good")
    for opened in (store, open_store(where, create=False)):
        assert opened.has("distill", "k1")
        assert content(opened) == b"good"


def test_records_and_runs_are_seen_by_all(where):
    store, other = (open_store(where, create=True) for _ in range(2))
    store.write_record(record("c1", "failed", "2026-01-03"))
    store.write_record(record("c1", "ok", "2026-01-01"))
    store.write_record(record("c2", "failed", "2026-01-02", reason="second"))
    store.write_record(record("c2", "timeout", "2026-01-01", reason="first"))
    for opened in (store, other):
        assert [(r.key, r.outcome) for r in opened.records()] == [("c1", "ok"), ("c2", "failed")]
        assert opened.done() == {"c1"}
        assert [r.reason for r in opened.records(["c2"])] == ["second"]
    store.write_run({"name": "one"})
    other.write_run({"name": "two"})
    assert [run["name"] for run in store.runs()] == ["one", "two"]


def test_a_record_survives(where):
    store = open_store(where, create=True)
    written = record(config={"evaluate": {"x": 1}}, correct="ff", n_images=8)
    store.write_record(written)
    assert store.records() == open_store(where, create=False).records() == [written]


def test_a_damaged_record_is_said_and_does_not_count(where):
    store = open_store(where, create=True)
    store.add_file("records", "c1.ok.abc.json", b'{"key": "c1"')
    store.write_record(record("c2"))
    said = []
    assert [r.key for r in store.records(say=said.append)] == ["c2"]
    assert "c1.ok.abc.json is damaged" in said[0]
    assert store.done() == {"c2"}


def test_files_of_other_parts_are_kept(where):
    store = open_store(where, create=True)
    assert store.file_names("tunes") == []
    store.add_file("tunes", "b.json", b"2")
    store.add_file("tunes", "a.json", b"1")
    other = open_store(where, create=False)
    assert other.file_names("tunes") == ["a.json", "b.json"]
    assert [path.read_bytes() for path in other.local_paths("tunes", other.file_names("tunes"))] == [b"1", b"2"]


def test_leases_have_one_holder(where):
    store, other = (open_store(where, create=True) for _ in range(2))
    one, two = Leases(store), Leases(other)
    try:
        assert one.claim("k")
        assert not two.claim("k")
        assert two.holders() == {"k": two.holder("k")}
        one.release("k")
        assert two.claim("k")
    finally:
        one.close()
        two.close()
    assert store.objects.names("leases") == []


def test_a_store_must_be_there_unless_it_is_made(where):
    assert not store_exists(where)
    with pytest.raises(BenchError, match="there is no store at"):
        open_store(where, create=False)
    open_store(where, create=True)
    assert store_exists(where)


def test_a_store_of_another_format_is_refused(where):
    store = open_store(where, create=True)
    for marker, message in ((b'{"format": 99}', "has format 99"), (b"[]", "is damaged")):
        store.objects.put("store.json", marker)
        with pytest.raises(BenchError, match=message):
            open_store(where, create=True)


# Stores at a URL


def test_what_one_machine_made_another_reads(machine):
    one, other = machine("one"), machine("other")
    assert one.root != other.root
    write(one)
    one.write_record(record())
    assert other.has("distill", "k1")
    assert content(other) == b"pixels"
    assert [r.key for r in other.records()] == ["c1"]


def test_two_machines_that_made_the_same_agree_on_one(machine, monkeypatch):
    one, other = machine("one"), machine("other")
    monkeypatch.setattr(one, "_find_attempt", lambda *where: None)  # it looked before the other was done

    def fill(folder):
        (folder / "x.bin").write_bytes(b"one")
        write(other, content=b"other")

    one.write("distill", "k1", fill, {})
    monkeypatch.undo()
    assert {content(store) for store in (one, other, machine("third"))} == {b"one"}, "the first that began"


class Cut(Exception):
    """The process is killed."""


class Flaky:
    """A file system whose driver dies after so many calls that change something."""

    def __init__(self, system, calls):
        self._system, self._left = system, calls

    def __getattr__(self, name):
        found = getattr(self._system, name)
        if name not in {"put_file", "pipe_file"}:
            return found

        def call(*args, **kwargs):
            if self._left == 0:
                raise Cut
            self._left -= 1
            return found(*args, **kwargs)

        return call


@pytest.mark.parametrize("calls", range(4))
def test_what_was_cut_off_while_going_up_is_never_seen(calls, tmp_path):
    url = address("memory", tmp_path)
    whole = open_store(url, create=True)
    flaky = RemoteStore(url, Objects(Flaky(whole.objects._system, calls), whole.objects._base))

    def fill(folder):
        for name in "abc":
            (folder / name).write_bytes(name.encode())

    with pytest.raises(Cut):
        flaky.write("distill", "k1", fill, {})
    assert not open_store(url, create=False).has("distill", "k1")
    assert not whole.exists("distill", "k1")
    assert not whole.folder("distill", "k1").exists()
    whole.write("distill", "k1", fill, {})
    assert content(whole, name="c") == b"c"


def damage(store, key="k1", to=b"pixelz"):
    (attempt,) = store.objects.names(f"artifacts/distill/{key}")
    store.objects.put(f"artifacts/distill/{key}/{attempt}/x.bin", to)


@pytest.mark.parametrize("to", [b"pixelz", b"pix", None])
def test_damage_there_is_noted_for_everybody_and_the_artifact_made_anew(machine, to):
    one = machine("one")
    write(one)
    if to is None:
        (attempt,) = one.objects.names("artifacts/distill/k1")
        one.objects.delete(f"artifacts/distill/k1/{attempt}/x.bin")
    else:
        damage(one, to=to)
    other, third = machine("other"), machine("third")
    with pytest.raises(CorruptArtifact, match=r"digest|3 bytes instead of 6|missing"):
        other.read("distill", "k1")
    assert os.listdir(other.root / "set-aside")
    for store in (other, third):
        assert not store.has("distill", "k1")
    write(other, content=b"anew")
    assert {content(store) for store in (one, other, third)} == {b"anew"}, "the old copy counts no more"


def test_a_manifest_that_cannot_be_read_is_damage(machine):
    one, other = machine("one"), machine("other")
    write(one)
    (name,) = one.objects.names("manifests/distill/k1")
    one.objects.put(f"manifests/distill/k1/{name}", b"{")
    with pytest.raises(CorruptArtifact, match="its manifest cannot be read"):
        other.read("distill", "k1")
    assert not other.has("distill", "k1")


def test_a_manifest_cannot_write_outside_its_artifact(machine):
    one = machine("one")
    name = "manifests/distill/k1/00.json"
    one.objects.put(name, b'{"key": "k1", "attempt": "00", "files": {"../../x": {"size": 1, "sha256": ""}}}')
    with pytest.raises(CorruptArtifact, match="outside the artifact"):
        one.read("distill", "k1")


def test_a_damaged_copy_here_is_fetched_again(machine):
    one = machine("one")
    write(one)
    (one.folder("distill", "k1") / "x.bin").write_bytes(b"pixelz")
    assert content(one) == b"pixels"
    one.write_record(record())
    (path,) = (one.root / "records").glob("*.json")
    path.write_bytes(b"{")
    said = []
    assert [r.key for r in one.records(say=said.append)] == ["c1"]
    assert said == []


def test_a_file_that_fails_on_its_way_down_once_is_asked_for_again(machine, monkeypatch):
    write(machine("one"))
    other = machine("other")
    download, calls = other.objects.download, []

    def once(name, file):
        calls.append(name)
        download(name, file)
        if len(calls) == 1:
            file.write_bytes(b"")

    monkeypatch.setattr(other.objects, "download", once)
    assert content(other) == b"pixels"


def test_a_claim_sees_what_was_made_a_moment_ago(machine):
    one, other = machine("one"), machine("other")
    leases = Leases(other)
    try:
        assert not other.has("distill", "k1")
        write(one)
        assert leases.claim("k1")
        assert other.has("distill", "k1")
    finally:
        leases.close()


def test_nothing_there_is_deleted_or_replaced_but_leases(tmp_path):
    store = open_store(address("file", tmp_path), create=True)
    remote = tmp_path / "remote" / "store"

    def files():
        found = [path for path in remote.rglob("*") if path.is_file() and "leases" not in path.parts]
        return {path: path.read_bytes() for path in found}

    write(store)
    store.write_record(record())
    before = files()
    store.set_aside("distill", "k1")
    write(store, content=b"anew")
    write(store, content=b"again")
    store.records()
    leases = Leases(store)
    leases.claim("k1")
    leases.close()
    assert before.items() <= files().items()


def test_a_missing_driver_names_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(BenchError, match=r"s3://.*pip install s3fs"):
        open_store("s3://bucket/path", create=True)


@pytest.mark.parametrize("url", ["nonsense://x/y", "file:///proc/none/store"])
def test_a_url_that_cannot_be_used_is_one_line(url):
    with pytest.raises(BenchError, match=r"is no URL of a store|cannot use the store") as caught:
        open_store(url, create=True)
    assert len(str(caught.value).splitlines()) == 1


def test_a_full_disk_is_said_in_a_line(url, monkeypatch):
    store = open_store(url, create=True)
    full = OSError(28, "No space left on device")
    monkeypatch.setattr(store.objects, "upload", lambda *_: (_ for _ in ()).throw(full))
    with pytest.raises(StoreFull):
        write(store)
    assert not store.has("distill", "k1")


# The command line

STUDY = ("--methods", "random", "--ipc", "1", "--seeds", "0", "--eval-seeds", "0", "--archs", "convnet3-w32")


def test_a_study_on_a_url_is_seen_from_another_machine(tmp_path, monkeypatch):
    url = address("file", tmp_path)
    done = invoke("run", *STUDY, "--executor", "inline", "--store", url)
    assert done.returncode == 0, done.stderr
    assert url in done.stderr
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "another machine"))
    again = json.loads(invoke("run", *STUDY, "--store", url, "--dry-run", "--json").stdout)
    assert {kind: stage["to_run"] for kind, stage in again["stages"].items() if stage["to_run"]} == {}
    assert invoke("table", "--store", url).stdout == done.stdout
    assert invoke("export", "--store", url, "--out", tmp_path / "out").returncode == 0


def test_memory_is_not_shared_with_workers():
    done = invoke("run", *STUDY, "--executor", "ray", "--store", "memory://x/y")
    assert done.returncode == 2
    assert "--executor inline" in done.stderr
