"""Atomic writes: a reader sees a whole file or none, also when the writer is killed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import socket
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

from ddbench.errors import BenchError

TEMPORARY = ".tmp"


class StoreFull(BenchError):
    """The disk under a store is full, or its quota is used up."""


@contextlib.contextmanager
def explain_full_disk(root: Path) -> Iterator[None]:
    """Inside, an error because the disk is full is raised as StoreFull, with one line that says what to do."""
    try:
        yield
    except Exception as error:
        # safetensors and torch raise errors of their own that only quote the message of the system's.
        full = (errno.ENOSPC, errno.EDQUOT)
        quoted = any(os.strerror(number) in str(error) for number in full)
        if not quoted and getattr(error, "errno", None) not in full:
            raise
        raise StoreFull(
            f"the disk of the store {root} is full: nothing half-written was kept. Make room there, or name another "
            "store with --store; the same command goes on from what is finished."
        ) from error


def write_atomically(path: Path, content: bytes, *, flush: bool = True) -> None:
    """Write to a temporary name in the same folder, flush, rename: readers see the old content or the new, whole.

    Without ``flush``, for copies of remote files, a loss of power may undo the write. Raises StoreFull.
    """
    temporary = path.parent / temporary_name(path.name)
    try:
        with explain_full_disk(path.parent):
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                if flush:
                    os.fsync(file.fileno())
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    if flush:
        to_disk(path.parent)


def temporary_name(name: str) -> str:
    """A hidden name that is unique to this process; ``sweep`` removes such files of dead processes."""
    return f".{name}.{socket.gethostname()}~{os.getpid()}~{uuid.uuid4().hex[:8]}{TEMPORARY}"


def sweep(paths: Iterable[Path]) -> None:
    """Remove those of the temporary ``paths`` whose process ran on this host and is dead."""
    for path in paths:
        host, _, pid = path.name.removesuffix(TEMPORARY).rpartition("~")[0].rpartition("~")
        if host.endswith("." + socket.gethostname()) and pid.isdigit() and not _alive(int(pid)):
            with contextlib.suppress(OSError):  # of a read-only store they stay
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def to_disk(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk (fsync)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
