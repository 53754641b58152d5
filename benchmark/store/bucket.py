"""A store at a URL: in a bucket (``s3://``, ``gs://``), a folder (``file://``) or this process's memory (``memory://``).

    store.json                                    the format of the store
    manifests/<kind>/<key>/<attempt>.json         an artifact exists when one of its manifests does
    artifacts/<kind>/<key>/<attempt>/<file>       the files that the manifest lists
    damaged/<kind>/<key>/<attempt>                marks this attempt as damaged: it is ignored
    records/, runs/, ...                          as in a folder
    leases/                                       see ``ddbench.store.leases``

Nothing but leases is ever replaced or deleted. The files of an attempt are uploaded first and its manifest last, so an
upload that was cut off is never seen; its files stay as litter. Attempts are named by their time; where an artifact has
several, all readers take the first by name that is not marked as damaged.

The local folder of the store lies below $BENCH_CACHE (or ~/.cache/dataset-distillation-bench). It holds copies,
checked against their manifests whenever they are read, and files of this machine alone: caches, scratch folders of
stages in progress, pictures. It can be deleted while nothing runs.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from ddbench.errors import BenchError, CorruptArtifact
from ddbench.keys import digest
from ddbench.store.artifacts import MANIFEST, check_bytes, parse_manifest, read_manifest
from ddbench.store.durable import temporary_name, write_atomically
from ddbench.store.folder import FORMAT, MARKER, Store, check_format
from ddbench.store.objects import Objects

T = TypeVar("T")

LISTING_LASTS = 1.0
"""seconds for which a listing of artifacts is cached; or ten times what the listing took, if that is longer"""


@dataclass(frozen=True)
class _Listing:
    """The keys of the artifacts of one kind, cached until ``until`` on the monotonic clock."""

    keys: frozenset[str]
    until: float


class RemoteStore(Store):
    """The store at a URL."""

    def __init__(self, url: str, objects: Objects) -> None:
        super().__init__(_folder(url))
        self._url, self._objects = url, objects
        self._listings: dict[str, _Listing] = {}
        self._manifests: dict[tuple[str, str, str], dict[str, Any]] = {}

    @staticmethod
    def at(address: str) -> RemoteStore:
        url = address.rstrip("/")
        store = RemoteStore(url, Objects.at_url(url))
        for folder in ("artifacts", "records", "runs", "set-aside"):
            (store.root / folder).mkdir(parents=True, exist_ok=True)
        return store

    @staticmethod
    def is_at(url: str) -> bool:
        return _reach(url, lambda: Objects.at_url(url).get(MARKER)) is not None

    @staticmethod
    def opened(url: str, *, create: bool) -> RemoteStore:  # type: ignore[override]
        """``open_store`` for a URL."""
        store = RemoteStore.at(url)
        marker = _reach(url, lambda: store._objects.get(MARKER))
        if marker is None:
            if not create:
                raise BenchError(f"there is no store at {url}. `bench run` makes one; --store names another.")
            new = marker = json.dumps({"format": FORMAT}).encode()
            _reach(url, lambda: store._objects.put(MARKER, new))
        check_format(marker, url)
        store._sweep_temporaries()
        return store

    @property
    def address(self) -> str:
        return self._url

    @property
    def objects(self) -> Objects:
        return self._objects

    # Artifacts

    def exists(self, kind: str, key: str) -> bool:
        listing = self._listings.get(kind)
        if listing is None or (key not in listing.keys and time.monotonic() > listing.until):
            listing = self._listings[kind] = self._list(kind)
        return key in listing.keys

    def has(self, kind: str, key: str) -> bool:
        """Whether an artifact exists and is not marked as damaged; only ``read`` checks its files."""
        return self.exists(kind, key)

    def artifacts(self) -> list[tuple[str, str]]:
        return [(kind, key) for kind in self._objects.folders("manifests") for key in sorted(self._list(kind).keys)]

    def refresh(self) -> None:
        self._listings.clear()

    def manifest(self, kind: str, key: str) -> dict[str, Any]:
        return self._manifest(kind, key, self._valid_attempt(kind, key))

    def read(self, kind: str, key: str) -> Path:
        """The folder of an artifact on this machine, every byte checked. Raises CorruptArtifact.

        A local copy that is damaged, or of another attempt than the one that counts, is replaced. An attempt that is
        damaged in the bucket is marked as damaged.
        """
        attempt, folder = self._valid_attempt(kind, key), self.folder(kind, key)
        if folder.exists():
            with contextlib.suppress(CorruptArtifact):
                if read_manifest(kind, key, folder).get("attempt") == attempt:
                    check_bytes(kind, key, folder)
                    return folder
            super().set_aside(kind, key)
        return self._download(kind, key, attempt)

    def write(self, kind: str, key: str, fill: Callable[[Path], None], about: dict[str, Any]) -> None:
        super().write(kind, key, fill, {**about, "attempt": f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}"})

    def _publish(self, kind: str, key: str, finished: Path) -> bool:
        if self._find_attempt(kind, key):
            return False
        manifest = json.loads((finished / MANIFEST).read_bytes())
        for name in manifest["files"]:
            self._objects.upload(finished / name, f"artifacts/{kind}/{key}/{manifest['attempt']}/{name}")
        name = f"manifests/{kind}/{key}/{manifest['attempt']}.json"
        self._objects.put(name, (finished / MANIFEST).read_bytes())
        self.refresh()
        if self.folder(kind, key).exists():  # a copy of an attempt that no longer counts
            super().set_aside(kind, key)
        return self._find_attempt(kind, key) == manifest["attempt"]

    def set_aside(self, kind: str, key: str) -> Path:
        """Mark an artifact as damaged for all readers, so that it is made again; the new path of the local copy."""
        attempt = self._find_attempt(kind, key)
        if attempt:
            self._mark_damaged(kind, key, attempt)
        return super().set_aside(kind, key)

    def _mark_damaged(self, kind: str, key: str, attempt: str) -> None:
        self._objects.put(f"damaged/{kind}/{key}/{attempt}", b"")
        self.refresh()

    def _valid_attempt(self, kind: str, key: str) -> str:
        attempt = self._find_attempt(kind, key)
        if attempt is None:
            self.refresh()
            raise CorruptArtifact(kind, key, "it is missing")
        return attempt

    def _find_attempt(self, kind: str, key: str) -> str | None:
        """The attempt that counts: the first that is not damaged, or None."""
        damaged = set(self._objects.names(f"damaged/{kind}/{key}"))
        names = (name.removesuffix(".json") for name in self._objects.names(f"manifests/{kind}/{key}"))
        return next((name for name in names if name not in damaged), None)

    def _list(self, kind: str) -> _Listing:
        began = time.monotonic()
        keys = set(self._objects.folders(f"manifests/{kind}"))
        suspects = keys & set(self._objects.folders(f"damaged/{kind}"))
        keys -= {key for key in suspects if self._find_attempt(kind, key) is None}
        ended = time.monotonic()
        return _Listing(frozenset(keys), ended + max(LISTING_LASTS, 10 * (ended - began)))

    def _manifest(self, kind: str, key: str, attempt: str) -> dict[str, Any]:
        if (kind, key, attempt) not in self._manifests:
            try:
                manifest = parse_manifest(key, self._objects.get(f"manifests/{kind}/{key}/{attempt}.json") or b"")
                if manifest["attempt"] != attempt:
                    raise ValueError("it is the manifest of another attempt")
                if any(name.is_absolute() or ".." in name.parts for name in map(PurePosixPath, manifest["files"])):
                    raise ValueError("it names files outside the artifact")
            except (ValueError, KeyError, TypeError) as error:
                self._mark_damaged(kind, key, attempt)
                raise CorruptArtifact(kind, key, f"its manifest cannot be read ({error})") from None
            self._manifests[kind, key, attempt] = manifest
        return self._manifests[kind, key, attempt]

    def _download(self, kind: str, key: str, attempt: str) -> Path:
        """Download an artifact and check it; it is downloaded a second time before it is marked as damaged."""
        manifest, final = self._manifest(kind, key, attempt), self.folder(kind, key)
        for last in (False, True):
            temporary = final.parent / temporary_name(key)
            try:
                temporary.mkdir(parents=True)
                for name in manifest["files"]:
                    (temporary / name).parent.mkdir(parents=True, exist_ok=True)
                    self._objects.download(f"artifacts/{kind}/{key}/{attempt}/{name}", temporary / name)
                (temporary / MANIFEST).write_text(json.dumps(manifest, indent=1))
                check_bytes(kind, key, temporary)
                if not final.exists():  # otherwise another process of this machine was first
                    with contextlib.suppress(OSError):
                        temporary.rename(final)
                return final
            except (CorruptArtifact, FileNotFoundError) as error:
                if last:
                    target = self.root / "set-aside" / f"{kind}-{key}-{uuid.uuid4().hex[:8]}"
                    temporary.rename(target)
                    self._mark_damaged(kind, key, attempt)
                    reason = error.args[2] if isinstance(error, CorruptArtifact) else "a file of it is missing"
                    raise CorruptArtifact(kind, key, reason) from None
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        raise AssertionError("unreachable")

    # Records and other small files

    def add_file(self, folder: str, name: str, content: bytes) -> None:
        self._objects.put(f"{folder}/{name}", content)
        self._copy(folder, name, content)

    def file_names(self, folder: str) -> list[str]:
        """Names of the files in a folder, in order, without those that were set aside on this machine as damaged."""
        damaged = set(os.listdir(self.root / "set-aside"))
        return [name for name in self._objects.names(folder) if name not in damaged]

    def local_paths(self, folder: str, names: Iterable[str]) -> list[Path]:
        paths = [self.root / folder / name for name in names]
        missing = [path.name for path in paths if not path.exists()]
        for name, content in self._objects.get_all(folder, missing).items():
            self._copy(folder, name, content)
        return paths

    def _refetched(self, folder: str, name: str) -> bool:
        content, path = self._objects.get(f"{folder}/{name}"), self.root / folder / name
        if content is None or content == path.read_bytes():
            return False
        self._copy(folder, name, content)
        return True

    def _copy(self, folder: str, name: str, content: bytes) -> None:
        path = self.root / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content, flush=False)


def _folder(url: str) -> Path:
    """The local folder of the store at ``url``."""
    caches = os.environ.get("BENCH_CACHE")
    home = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "dataset-distillation-bench"
    return (Path(caches) if caches else home).expanduser().absolute() / "stores" / digest(url)[:16]


def _reach(url: str, ask: Callable[[], T]) -> T:
    """The result of ``ask()``. Raises BenchError when the store cannot be reached."""
    try:
        return ask()
    except BenchError:
        raise
    except Exception as error:  # fsspec drivers raise errors of their own libraries
        why = " ".join(str(error).split())
        raise BenchError(
            f"cannot use the store {url}: {type(error).__name__}: {why}. Name another with --store."
        ) from error
