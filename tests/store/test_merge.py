"""Merging stores: nothing lost, nothing overwritten, and twice is once."""

import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbench.store.merge import merge
from ddbench.store.opening import open_store
from ddbench.types import Cell, Record
from tests.support.invoke import invoke
from tests.support.store import make_store

CELL = Cell("d", "s/test", "a", 1, "m", "p@1", 0, 0)


@pytest.fixture(autouse=True, scope="module")
def unflushed():
    """Hundreds of small stores are made here, and none has to outlive a loss of power."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


def make(folder):
    return open_store(folder, create=True)


def write(store, key, content):
    store.write("distill", key, lambda folder: (folder / "x").write_bytes(content), {"task": {}, "run": {"seconds": 1}})


def record(key, top1, outcome="ok"):
    return Record(key=key, cell=CELL, outcome=outcome, curve=((1, top1),) if outcome == "ok" else ())


def state(store):
    """All of a store but for who wrote it: artifacts by content, the records that count, and the names of files."""
    artifacts = {where: (store.read(*where) / "x").read_bytes() for where in store.artifacts()}
    counts = [record.content() for record in store.records()]
    return (
        artifacts,
        counts,
        set(store.file_names("records")),
        set(store.file_names("runs")),
        set(store.file_names("tunes")),
    )


@pytest.fixture
def stores(tmp_path):
    return [make(tmp_path / name) for name in ("a", "b", "into")]


def test_the_union_of_two_stores(stores):
    a, b, into = stores
    write(a, "k1", b"1")
    write(b, "k1", b"1")
    write(b, "k2", b"2")
    a.write_record(record("c1", 0.5))
    b.write_record(record("c1", 0.5))
    b.write_record(record("c2", 0.5, "failed"))
    b.write_run({"name": "run"})
    b.add_file("tunes", "t.json", b"{}")
    report = merge(into, [a, b])
    assert report.conflicts == []
    assert report.copied == {"artifact": 2, "record": 3, "runs": 1, "tunes": 1}
    assert into.artifacts() == [("distill", "k1"), ("distill", "k2")]
    assert into.manifest("distill", "k2")["run"] == {"seconds": 1}
    assert into.done() == {"c1"}
    assert into.runs() == [{"name": "run"}]


def test_what_differs_is_reported_and_the_destination_keeps_its_own(stores):
    a, b, into = stores
    write(a, "k1", b"one")
    write(b, "k1", b"two")
    a.write_record(record("c1", 0.5))
    b.write_record(record("c1", 0.75))
    report = merge(into, [a, b])
    assert [(c.what, c.name, c.source) for c in report.conflicts] == [
        ("artifact", "distill/k1", b.address),
        ("record", "c1", b.address),
    ]
    assert "top-1 0.7500, not 0.5000" in report.conflicts[1].reason
    assert state(into) == state(a)


def test_damage_in_a_source_is_told_and_not_copied(stores):
    a, _, into = stores
    write(a, "k1", b"one")
    (a.folder("distill", "k1") / "x").write_bytes(b"eno")
    a.add_file("records", "c1.ok.1.json", b"{")
    report = merge(into, [a])
    assert ["digest" in report.damaged[0], "c1.ok.1.json" in report.damaged[1]] == [True, True]
    assert state(into) == ({}, [], set(), set(), set())
    assert (a.root / "records" / "c1.ok.1.json").exists(), "sources are only read"


def test_damage_in_the_destination_is_mended(stores):
    a, _, into = stores
    for store in (a, into):
        write(store, "k1", b"one")
    (into.folder("distill", "k1") / "x").write_bytes(b"on")
    assert merge(into, [a]).conflicts == []
    assert state(into) == state(a)


def test_a_store_at_a_url_merges_with_one_in_a_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    there, here, back = make(f"file://{tmp_path}/remote"), make(tmp_path / "here"), make(f"file://{tmp_path}/back")
    write(there, "k1", b"one")
    there.write_record(record("c1", 0.5))
    merge(here, [there])
    merge(back, [here])
    assert state(here) == state(there) == state(back)


keys = st.sampled_from(["k1", "k2", "k3"])
contents = st.dictionaries(keys, st.sampled_from([b"x", b"y"]))
attempts = st.lists(st.tuples(keys, st.sampled_from([("ok", 0.5), ("ok", 0.25), ("failed", 0.0)])), max_size=4)
agreed = st.lists(st.tuples(keys, st.sampled_from([("ok", 0.5), ("failed", 0.0)])), max_size=4)


def filled(folder, artifacts, records):
    store = make(folder)
    for key, content in artifacts.items():
        write(store, key, content)
    for key, (outcome, top1) in records:
        store.write_record(record(key, top1, outcome))
    store.write_run({"name": str(folder)})
    return store


@settings(max_examples=15)
@given(st.lists(st.tuples(contents, attempts), min_size=1, max_size=3))
def test_merging_again_copies_nothing_and_finds_the_same_conflicts(sources):
    with tempfile.TemporaryDirectory() as folder:
        stores = [filled(Path(folder, str(n)), *source) for n, source in enumerate(sources)]
        into = make(Path(folder, "into"))
        first = merge(into, stores)
        before = state(into)
        again = merge(into, stores)
        assert sum(again.copied.values()) == 0
        assert set(again.conflicts) >= set(first.conflicts)
        assert state(into) == before


@settings(max_examples=15)
@given(st.lists(st.tuples(st.sets(keys), agreed), min_size=2, max_size=3))
def test_the_order_of_sources_that_agree_does_not_matter(sources):
    with tempfile.TemporaryDirectory() as folder:
        stores = [
            filled(Path(folder, str(n)), dict.fromkeys(artifacts, b"x"), records)
            for n, (artifacts, records) in enumerate(sources)
        ]
        one, other = make(Path(folder, "one")), make(Path(folder, "other"))
        assert merge(one, stores).conflicts == merge(other, stores[::-1]).conflicts == []
        assert state(one) == state(other)


@settings(max_examples=15)
@given(st.tuples(contents, attempts), st.tuples(contents, attempts))
def test_the_order_does_not_matter_for_what_conflicts(a, b):
    with tempfile.TemporaryDirectory() as folder:
        stores = [filled(Path(folder, str(n)), *source) for n, source in enumerate((a, b))]
        one, other = make(Path(folder, "one")), make(Path(folder, "other"))
        found = [
            {(c.what, c.name) for c in merge(into, order).conflicts}
            for into, order in ((one, stores), (other, stores[::-1]))
        ]
        assert found[0] == found[1]
        assert state(one)[0].keys() == state(other)[0].keys()
        assert one.done() == other.done()


def test_the_destination_may_be_an_option(tmp_path):
    make_store(tmp_path / "a", methods=("random",), ipc=(1,))
    done = invoke("merge", "--store", tmp_path / "all", tmp_path / "a")
    assert done.stdout == invoke("merge", tmp_path / "both", tmp_path / "a").stdout.replace("both", "all") != ""
    assert "bench merge all part1 part2" in invoke("merge", tmp_path / "a").stderr


def test_the_command_lists_conflicts(stores):
    a, b, into = stores
    write(a, "k1", b"one")
    done = invoke("merge", into.root, a.root)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 artifact, 0 records" in done.stdout
    write(b, "k1", b"two")
    done = invoke("merge", into.root, a.root, b.root, "--json")
    assert done.returncode == 1
    (conflict,) = json.loads(done.stdout)["conflicts"]
    assert (conflict["name"], conflict["source"]) == ("distill/k1", str(b.root))
    assert invoke("merge", into.root, into.root / "no").returncode == 2
    assert invoke("merge", into.root).returncode == 2
