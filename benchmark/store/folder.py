"""The results store: content-addressed artifacts, immutable records, and nothing shared that changes.

    store.json                          the format of the store
    artifacts/<kind>/<key>/             what a stage made, with manifest.json (sizes, digests, cost)
    records/<key>.<outcome>.<attempt>.json   one attempt at a cell
    runs/<time>-<id>.json               the cells that one ``bench run`` asked for
    cache/<name>/                       decoded datasets and the like: can be deleted, is made again
    scratch/<key>/                      where a stage in progress resumes from
    progress/<key>                      how far it is
    set-aside/                          whatever was found damaged

Everything is written to a temporary name in its folder, flushed and renamed, so a reader sees all of it or nothing.
A store at a URL (``s3://bucket/path``) is the same to its users; see ``ddbench.store.bucket``.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ddbench.errors import BenchError, CorruptArtifact
from ddbench.store.artifacts import MANIFEST as MANIFEST
from ddbench.store.artifacts import check_bytes, check_sizes, read_manifest
from ddbench.store.durable import TEMPORARY, explain_full_disk, sha256, sweep, temporary_name, to_disk
from ddbench.store.durable import write_atomically as write_atomically
from ddbench.store.objects import Objects
from ddbench.store.workspace import Workspace
from ddbench.types import Record

FORMAT = 1
MARKER = "store.json"


class Store(Workspace):
    """A store in a folder. Many processes may use one at a time."""

    @property
    def address(self) -> str:
        """The folder or URL with which ``store_at`` opens this store in another process or on another machine."""
        return str(self.root)

    @staticmethod
    def opened(root: Path, *, create: bool) -> Store:
        """``open_store`` for a folder."""
        marker = root / MARKER
        if not marker.exists():
            if root.is_dir() and any(root.iterdir()) and not (root / "artifacts").is_dir():
                raise BenchError(
                    f"{root} is a folder of something else, not a store; it holds {_shown(root)}. Name another with "
                    "--store DIR."
                )
            if not create:
                raise BenchError(f"there is no store at {root}. `bench run` makes one; --store DIR names another.")
        store = Store(root)
        if create:
            try:
                for folder in ("artifacts", "records", "runs", "set-aside"):
                    (root / folder).mkdir(parents=True, exist_ok=True)
                write_atomically(root / "runs" / ".writable", b"")
                if not marker.exists():
                    write_atomically(marker, json.dumps({"format": FORMAT}).encode())
            except OSError as error:
                raise BenchError(
                    f"cannot write to the store {root}: {error.strerror}. Name a writable folder with --store DIR."
                ) from None
        try:
            content = marker.read_bytes()
        except OSError:
            content = b""
        check_format(content, str(root))
        store._sweep_temporaries()
        return store

    @property
    def objects(self) -> Objects:
        """The store as named objects, which all its users see at once: leases."""
        return Objects.in_folder(self.root)

    # Artifacts

    def folder(self, kind: str, key: str) -> Path:
        """The local folder of an artifact, which may not exist; for a store at a URL ``read`` downloads into it."""
        return self.root / "artifacts" / kind / key

    def exists(self, kind: str, key: str) -> bool:
        """Whether the artifact exists, damaged or not."""
        return self.folder(kind, key).exists()

    def artifacts(self) -> list[tuple[str, str]]:
        """(kind, key) of every artifact, ordered. Reads names only."""
        kinds = _visible(self.root / "artifacts")
        return [(kind, key) for kind in kinds for key in _visible(self.root / "artifacts" / kind)]

    def refresh(self) -> None:
        """Drop cached listings of a store at a URL, so that the next call sees what other machines have written."""

    def has(self, kind: str, key: str) -> bool:
        """Whether the artifact exists, with all files of its manifest in the right size; only ``read`` checks digests.

        Raises CorruptArtifact when it exists but is damaged.
        """
        folder = self.folder(kind, key)
        if not folder.exists():
            return False
        check_sizes(kind, key, folder)
        return True

    def manifest(self, kind: str, key: str) -> dict[str, Any]:
        """The manifest of an artifact. Raises CorruptArtifact."""
        return read_manifest(kind, key, self.folder(kind, key))

    def read(self, kind: str, key: str) -> Path:
        """The folder of an artifact, every byte checked against its manifest. Raises CorruptArtifact."""
        folder = self.folder(kind, key)
        if not folder.exists():
            raise CorruptArtifact(kind, key, "it is missing")
        check_bytes(kind, key, folder)
        return folder

    def write(self, kind: str, key: str, fill: Callable[[Path], None], about: dict[str, Any]) -> None:
        """Let ``fill`` write files into an empty folder and publish them atomically as the artifact ``key``.

        ``about`` is added to the manifest. If another process was first, its artifact stays and this one is dropped.
        """
        final = self.folder(kind, key)
        temporary = final.parent / temporary_name(key)
        try:
            with explain_full_disk(self.root):
                temporary.mkdir(parents=True)
                fill(temporary)
                files = {
                    str(path.relative_to(temporary)): {"size": path.stat().st_size, "sha256": sha256(path)}
                    for path in sorted(temporary.rglob("*"))
                    if path.is_file()
                }
                (temporary / MANIFEST).write_text(json.dumps({"key": key, "files": files, **about}, indent=1))
                for path in temporary.rglob("*"):
                    to_disk(path)
                to_disk(temporary)
                if self._publish(kind, key, temporary):
                    try:
                        temporary.rename(final)
                    except OSError:
                        if not final.exists():
                            raise
                    to_disk(final.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _publish(self, kind: str, key: str, finished: Path) -> bool:
        """Called with a finished artifact, before its folder is renamed; whether to rename it."""
        return True

    def set_aside(self, kind: str, key: str) -> Path:
        """Move a damaged artifact to the folder set-aside, so that it is made again; its new path."""
        target = self.root / "set-aside" / f"{kind}-{key}-{uuid.uuid4().hex[:8]}"
        with contextlib.suppress(FileNotFoundError):  # another driver was first
            self.folder(kind, key).rename(target)
        return target

    # Records and other small files, each written once under a unique name

    def add_file(self, folder: str, name: str, content: bytes) -> None:
        """Add the file ``name`` to a ``folder`` of the store: records, runs, or one of the caller's own."""
        path = self.root / folder / name
        path.parent.mkdir(exist_ok=True)
        write_atomically(path, content)

    def file_names(self, folder: str) -> list[str]:
        """Names of the files in a ``folder`` of the store, in order."""
        return _visible(self.root / folder)

    def local_paths(self, folder: str, names: Iterable[str]) -> list[Path]:
        """Local paths of files in a ``folder`` of the store, downloaded if need be."""
        return [self.root / folder / name for name in names]

    def _refetched(self, folder: str, name: str) -> bool:
        """Replace the local copy of a file if it differs from the remote one; whether it did."""
        return False

    def write_record(self, record: Record) -> str:
        """Add one attempt at a cell; the file name, with which ``record`` reads it. Never replaces another."""
        name = f"{record.key}.{record.outcome}.{uuid.uuid4().hex[:12]}.json"
        self.add_file("records", name, json.dumps(record.to_json()).encode())
        return name

    def done(self) -> set[str]:
        """Keys of the cells with a successful attempt. Reads file names only."""
        return {key for key, outcome, _ in map(_parts, self.file_names("records")) if outcome == "ok"}

    def records(self, keys: Iterable[str] | None = None, say: Callable[[str], None] = lambda _: None) -> list[Record]:
        """The record that counts for each cell: the first success by name, or else the latest attempt. Ordered by key.

        A record that cannot be read is set aside, reported through ``say``, and the next one counts. Records that
        cannot count are not read.
        """
        wanted = None if keys is None else set(keys)
        attempts: dict[str, list[str]] = {}
        for name in self.file_names("records"):
            key, _, _ = _parts(name)
            if wanted is None or key in wanted:
                attempts.setdefault(key, []).append(name)
        good = {key: [name for name in names if _parts(name)[1] == "ok"] for key, names in attempts.items()}
        self.local_paths("records", (name for key, names in attempts.items() for name in good[key][:1] or names))
        chosen = []
        for key in sorted(attempts):
            record = next((readable for name in good[key] if (readable := self.record(name, say))), None)
            others = (self.record(name, say) for name in attempts[key] if name not in good[key]) if not record else ()
            for other in others:
                if other and (record is None or _later(other, record)):
                    record = other
            if record:
                chosen.append(record)
        return chosen

    def record(self, name: str, say: Callable[[str], None] = lambda _: None) -> Record | None:
        """The record in the file ``name``, or None when it is damaged: it is set aside and reported through ``say``."""
        (path,) = self.local_paths("records", [name])
        try:
            record = Record.from_json(json.loads(path.read_bytes()))
            if record.key != _parts(name)[0]:
                raise ValueError("its key is not that of its name")
            return record
        except FileNotFoundError:
            return None  # another driver found it damaged and was first to set it aside
        except (ValueError, KeyError, TypeError) as error:
            if self._refetched("records", name):
                return self.record(name, say)
            target = self.root / "set-aside" / name
            where = f"set aside as {target}"
            try:
                path.rename(target)
            except OSError as problem:
                where = f"left where it is ({problem.strerror})"
            say(f"the record {name} is damaged ({type(error).__name__}: {error}); {where}")
            return None

    def write_run(self, run: dict[str, Any]) -> None:
        self.add_file("runs", f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}.json", json.dumps(run).encode())

    def runs(self) -> list[dict[str, Any]]:
        """What each run on this store asked for (name, configuration, [cell, key] pairs), oldest first."""
        return [json.loads(path.read_bytes()) for path in self.local_paths("runs", self.file_names("runs"))]

    def _sweep_temporaries(self) -> None:
        """Remove half-written files of killed processes of this host."""
        for where in ("artifacts/*", "cache", "records", "runs"):
            sweep(self.root.glob(f"{where}/*{TEMPORARY}"))


def check_format(marker: bytes, store: str) -> None:
    """Raises BenchError when ``marker``, the content of store.json, is damaged or of an unknown format."""
    try:
        version = json.loads(marker)["format"]
    except (ValueError, KeyError, TypeError):
        raise BenchError(
            f"{store}/{MARKER} is damaged. If {store} is a store, write {json.dumps({'format': FORMAT})} into it; "
            "otherwise name another with --store."
        ) from None
    if version != FORMAT:
        raise BenchError(f"the store {store} has format {version}, this release reads {FORMAT}. Use another --store.")


def _visible(folder: Path) -> list[str]:
    """Sorted names in a folder without hidden and temporary ones; empty when there is no such folder."""
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except FileNotFoundError:
        return []


def _shown(folder: Path, most: int = 4) -> str:
    """``images/, notes.txt, ...``: what lies in a folder."""
    entries = sorted(f"{path.name}/" if path.is_dir() else path.name for path in folder.iterdir())
    return ", ".join([*entries[:most], "..."] if len(entries) > most else entries)


def _parts(name: str) -> tuple[str, str, str]:
    """(key, outcome, attempt) from the file name of a record; the outcome is empty for another file."""
    key, _, rest = name.partition(".")
    outcome, _, attempt = rest.removesuffix(".json").partition(".")
    return key, outcome if attempt and name.endswith(".json") else "", attempt


def _later(a: Record, b: Record) -> bool:
    return str(a.run.get("started", "")) > str(b.run.get("started", ""))
