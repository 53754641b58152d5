"""Opening a store, in a folder or at a URL such as ``s3://bucket/path``."""

from __future__ import annotations

from pathlib import Path

from ddbench.paths import tidy
from ddbench.store.folder import MARKER, Store


def open_store(where: Path | str, *, create: bool) -> Store:
    """The store in a folder or at a URL.

    Raises BenchError when there is no store and ``create`` is False, or when it cannot be used.
    """
    if "://" in str(where):
        from ddbench.store.bucket import RemoteStore

        return RemoteStore.opened(str(where), create=create)
    return Store.opened(tidy(Path(where).expanduser().absolute()), create=create)


def store_at(address: str) -> Store:
    """The store at the ``address`` of one that was opened before. Nothing is checked."""
    if "://" not in address:
        return Store(Path(address))
    from ddbench.store.bucket import RemoteStore

    return RemoteStore.at(address)


def store_exists(where: Path | str) -> bool:
    """Whether a folder or URL holds a store, by its marker store.json. Nothing is written."""
    if "://" not in str(where):
        return (Path(where).expanduser() / MARKER).exists()
    from ddbench.store.bucket import RemoteStore

    return RemoteStore.is_at(str(where))
