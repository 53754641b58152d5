"""Named objects in a folder or a bucket: the calls that leases and stores at a URL need, on top of fsspec."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ddbench.errors import BenchError
from ddbench.store.durable import write_atomically

AT_A_TIME = 500
"""objects that are downloaded in one call"""


class Objects:
    """Objects named ``a/b/c`` below one folder or URL. Other processes may write too, so nothing is cached."""

    def __init__(self, system: Any, base: str) -> None:
        """``system`` is an fsspec file system and ``base`` a path in it."""
        self._system, self._base = system, base.rstrip("/")

    @staticmethod
    def in_folder(folder: Path) -> Objects:
        from fsspec.implementations.local import LocalFileSystem

        return Objects(LocalFileSystem(auto_mkdir=True), str(folder))

    @staticmethod
    def at_url(url: str) -> Objects:
        """The objects below ``url``. Raises BenchError when there is no driver for it."""
        import fsspec
        from fsspec.registry import known_implementations

        protocol = url.partition("://")[0]
        options = {"auto_mkdir": True} if protocol in {"file", "local"} else {"use_listings_cache": False}
        try:
            return Objects(*fsspec.core.url_to_fs(url, **options))
        except ImportError:
            package = known_implementations[protocol]["class"].partition(".")[0]
            raise BenchError(
                f"a store at {protocol}:// needs the package {package}. Type: pip install {package}"
            ) from None
        except ValueError as error:
            raise BenchError(
                f"{url!r} is no URL of a store: {error}. Examples: s3://bucket/path, gs://bucket/path, file:///folder"
            ) from None

    def path(self, name: str) -> str:
        return f"{self._base}/{name}"

    def names(self, folder: str) -> list[str]:
        """Sorted names in ``folder`` without hidden ones; empty when it does not exist."""
        try:
            paths = self._system.ls(self.path(folder), detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return []
        names = {path.rstrip("/").rpartition("/")[2] for path in paths}
        return sorted(name for name in names if not name.startswith("."))

    def folders(self, folder: str) -> list[str]:
        """Sorted names of the folders in ``folder`` that are not empty."""
        names = self.names(folder)
        if self._is_local():  # local folders exist before their files do
            return [name for name in names if self.names(f"{folder}/{name}")]
        return names

    def get(self, name: str) -> bytes | None:
        """The content of an object, or None when it does not exist."""
        try:
            content: bytes = self._system.cat_file(self.path(name))
            return content
        except FileNotFoundError:
            return None

    def get_all(self, folder: str, names: Sequence[str]) -> dict[str, bytes]:
        """Name -> content, of objects in one ``folder``; downloaded in parallel where the driver can."""
        by_name: dict[str, bytes] = {}
        for at in range(0, len(names), AT_A_TIME):
            paths = [self.path(f"{folder}/{name}") for name in names[at : at + AT_A_TIME]]
            contents = self._system.cat(paths, on_error="omit")
            by_name |= {path.rpartition("/")[2]: content for path, content in contents.items()}
        return by_name

    def create(self, name: str, content: bytes) -> bool:
        """Make an object if there is none of this name; of several rivals one is told True.

        Exact on local and network file systems (O_EXCL), in memory, and where fsspec's driver writes on a condition
        (s3fs, gcsfs). Other drivers look first and write then: two rivals within that moment may both be told True.
        """
        try:
            if self._is_local():
                with self._system.open(self.path(name), "xb") as file:
                    file.write(content)
            else:
                self._system.pipe_file(self.path(name), content, mode="create")
        except FileExistsError:
            return False
        return True

    def put(self, name: str, content: bytes) -> None:
        """Create an object or replace its content, atomically."""
        if self._is_local():  # in a bucket an object appears when it is complete, in a folder while it is written
            path = Path(self.path(name))
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content)
        else:
            self._system.pipe_file(self.path(name), content)

    def upload(self, file: Path, name: str) -> None:
        """Upload a file as an object. Readers may see it before it is complete."""
        self._system.put_file(str(file), self.path(name))

    def download(self, name: str, file: Path) -> None:
        """Download an object into a file. Raises FileNotFoundError."""
        self._system.get_file(self.path(name), str(file))

    def delete(self, name: str) -> None:
        """Delete an object; nothing happens when it does not exist."""
        with contextlib.suppress(FileNotFoundError):
            self._system.rm_file(self.path(name))

    def _is_local(self) -> bool:
        from fsspec.implementations.local import LocalFileSystem

        return isinstance(self._system, LocalFileSystem)
