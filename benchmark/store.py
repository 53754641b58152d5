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
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import socket
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmark.errors import BenchError, CorruptArtifact
from benchmark.types import Record

FORMAT = 1
MANIFEST = "manifest.json"
TEMPORARY = ".tmp"


class Store:
    """A store in a folder. Many processes may use one at a time."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @staticmethod
    def open(root: Path, *, create: bool) -> Store:
        """Raises BenchError when there is no store (and ``create`` is False), or when it cannot be used."""
        root = root.expanduser().absolute()
        marker = root / "store.json"
        if not marker.exists():
            if root.is_dir() and any(root.iterdir()) and not (root / "artifacts").is_dir():
                raise BenchError(f"{root} is a folder of something else, not a store. Name another with --store DIR.")
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
            found = json.loads(marker.read_text())["format"]
        except (OSError, ValueError, KeyError, TypeError):
            raise BenchError(
                f"{marker} is damaged. If {root} is a store, write {json.dumps({'format': FORMAT})} into it; "
                "otherwise name another with --store DIR."
            ) from None
        if found != FORMAT:
            raise BenchError(f"the store {root} has format {found}, this release reads {FORMAT}. Use another --store.")
        store._sweep_temporaries()
        return store

    # Artifacts

    def folder(self, kind: str, key: str) -> Path:
        return self.root / "artifacts" / kind / key

    def has(self, kind: str, key: str) -> bool:
        """Whether the artifact is there, with every file of its manifest in its size; the digests are for ``read``.

        Raises CorruptArtifact when it is there but not whole.
        """
        folder = self.folder(kind, key)
        if not folder.exists():
            return False
        for name, entry in self.manifest(kind, key)["files"].items():
            size = (folder / name).stat().st_size if (folder / name).is_file() else None
            if size != entry["size"]:
                raise CorruptArtifact(kind, key, f"{name} has {size} bytes instead of {entry['size']}")
        return True

    def manifest(self, kind: str, key: str) -> dict[str, Any]:
        """The manifest of an artifact. Raises CorruptArtifact."""
        try:
            manifest = json.loads((self.folder(kind, key) / MANIFEST).read_text())
            if manifest["key"] != key or not isinstance(manifest["files"], dict):
                raise ValueError("it is the manifest of something else")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CorruptArtifact(kind, key, f"its manifest cannot be read ({error})") from None
        return manifest

    def read(self, kind: str, key: str) -> Path:
        """The folder of an artifact, every byte checked against its manifest. Raises CorruptArtifact."""
        folder = self.folder(kind, key)
        if not self.has(kind, key):
            raise CorruptArtifact(kind, key, "it is missing")
        for name, entry in self.manifest(kind, key)["files"].items():
            if _sha256(folder / name) != entry["sha256"]:
                raise CorruptArtifact(kind, key, f"{name} does not have the digest of its manifest")
        return folder

    def write(self, kind: str, key: str, fill: Callable[[Path], None], about: dict[str, Any]) -> None:
        """Let ``fill`` write files into an empty folder and make them the artifact ``key``, all at once.

        ``about`` is kept in the manifest. When another process was first, its artifact stays and this one goes.
        """
        final = self.folder(kind, key)
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = final.parent / _temporary_name(key)
        temporary.mkdir()
        try:
            fill(temporary)
            files = {
                str(path.relative_to(temporary)): {"size": path.stat().st_size, "sha256": _sha256(path)}
                for path in sorted(temporary.rglob("*"))
                if path.is_file()
            }
            (temporary / MANIFEST).write_text(json.dumps({"key": key, "files": files, **about}, indent=1))
            for path in temporary.rglob("*"):
                _flush(path)
            _flush(temporary)
            temporary.rename(final)
            _flush(final.parent)
        except OSError:
            if not final.exists():
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def set_aside(self, kind: str, key: str) -> Path:
        """Move a damaged artifact out of the way; where it now lies."""
        target = self.root / "set-aside" / f"{kind}-{key}-{uuid.uuid4().hex[:8]}"
        self.folder(kind, key).rename(target)
        return target

    # What can be made again

    def cache(self, name: str, fill: Callable[[Path], None]) -> Path:
        """The cached folder ``name``; ``fill`` writes it when it is not there. One process fills, others wait."""
        final = self.root / "cache" / name
        final.parent.mkdir(parents=True, exist_ok=True)
        with (final.parent / f".{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not final.exists():
                temporary = final.parent / _temporary_name(name)
                temporary.mkdir()
                try:
                    fill(temporary)
                    temporary.rename(final)
                finally:
                    shutil.rmtree(temporary, ignore_errors=True)
        return final

    def scratch(self, key: str) -> Path:
        """A folder of the stage ``key``'s own, kept until its artifact is written."""
        folder = self.root / "scratch" / key
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def clear_scratch(self, key: str) -> None:
        shutil.rmtree(self.root / "scratch" / key, ignore_errors=True)
        (self.root / "progress" / key).unlink(missing_ok=True)

    def progress(self, key: str) -> Callable[[int, int], None]:
        """A function that notes how far the stage ``key`` is, at most once a second."""
        path, last = self.root / "progress" / key, 0.0

        def note(done: int, total: int) -> None:
            nonlocal last
            if time.monotonic() - last > 1:
                last = time.monotonic()
                path.parent.mkdir(exist_ok=True)
                path.write_text(f"{done} {total}")

        return note

    def how_far(self, key: str) -> float | None:
        """The share of the stage ``key`` that is done, if it said so."""
        try:
            done, total = (self.root / "progress" / key).read_text().split()
            return int(done) / int(total)
        except (OSError, ValueError, ZeroDivisionError):
            return None

    # Records

    def write_record(self, record: Record) -> None:
        """Add one attempt at a cell. Never replaces another."""
        name = f"{record.key}.{record.outcome}.{uuid.uuid4().hex[:12]}.json"
        write_atomically(self.root / "records" / name, json.dumps(record.to_json()).encode())

    def done(self) -> set[str]:
        """Keys of the cells with an attempt that succeeded. Reads names only."""
        parts = (name.split(".") for name in os.listdir(self.root / "records") if name.endswith(".json"))
        return {part[0] for part in parts if len(part) == 4 and part[1] == "ok"}

    def records(self, keys: Iterable[str] | None = None, say: Callable[[str], None] = lambda _: None) -> list[Record]:
        """The record that counts for each cell: the first success by name, or else the latest attempt. Ordered by key.

        A record that cannot be read is set aside and said so.
        """
        wanted = None if keys is None else set(keys)
        chosen: dict[str, Record] = {}
        for path in sorted((self.root / "records").glob("[!.]*.json")):
            key = path.name.partition(".")[0]
            if wanted is not None and key not in wanted:
                continue
            record = self._record(path, say)
            if record is not None:
                before = chosen.get(key)
                if before is None or (before.outcome != "ok" and (record.outcome == "ok" or _later(record, before))):
                    chosen[key] = record
        return [chosen[key] for key in sorted(chosen)]

    def _record(self, path: Path, say: Callable[[str], None]) -> Record | None:
        try:
            record = Record.from_json(json.loads(path.read_bytes()))
            if record.key != path.name.partition(".")[0]:
                raise ValueError("its key is not that of its name")
            return record
        except (ValueError, KeyError, TypeError) as error:
            target = self.root / "set-aside" / path.name
            where = f"set aside as {target}"
            try:
                path.rename(target)
            except OSError as problem:
                where = f"left where it is ({problem.strerror})"
            say(f"the record {path.name} is damaged ({type(error).__name__}: {error}); {where}")
            return None

    # Runs

    def write_run(self, run: dict[str, Any]) -> None:
        name = f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}.json"
        write_atomically(self.root / "runs" / name, json.dumps(run).encode())

    def runs(self) -> list[dict[str, Any]]:
        """What each ``bench run`` on this store asked for, oldest first."""
        return [json.loads(path.read_text()) for path in sorted((self.root / "runs").glob("[!.]*.json"))]

    def _sweep_temporaries(self) -> None:
        """Remove what processes of this host left half-written when they were killed."""
        for path in [
            *self.root.glob(f"artifacts/*/*{TEMPORARY}"),
            *self.root.glob(f"cache/*{TEMPORARY}"),
            *self.root.glob(f"records/*{TEMPORARY}"),
        ]:
            host, _, pid = path.name.removesuffix(TEMPORARY).rpartition("~")[0].rpartition("~")
            if host.endswith("." + socket.gethostname()) and pid.isdigit() and not _alive(int(pid)):
                with contextlib.suppress(OSError):  # a store that can only be read can still be read
                    shutil.rmtree(path) if path.is_dir() else path.unlink()


def write_atomically(path: Path, content: bytes) -> None:
    """Write to a temporary name in the same folder, flush to the disk, rename: readers see the old or the new whole."""
    temporary = path.parent / _temporary_name(path.name)
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _flush(path.parent)


def _temporary_name(name: str) -> str:
    return f".{name}.{socket.gethostname()}~{os.getpid()}~{uuid.uuid4().hex[:8]}{TEMPORARY}"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _later(a: Record, b: Record) -> bool:
    return str(a.run.get("started", "")) > str(b.run.get("started", ""))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
