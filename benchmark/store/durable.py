"""Writing files so that a reader sees all of one or nothing, whatever ends the writer."""

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
    """Say in one line that the disk is full, when that is what stops the writing in here. Raises StoreFull."""
    try:
        yield
    except Exception as error:
        # Libraries that write files (safetensors, torch) raise errors of their own, which only quote the system's.
        full = (errno.ENOSPC, errno.EDQUOT)
        quoted = any(os.strerror(number) in str(error) for number in full)
        if not quoted and getattr(error, "errno", None) not in full:
            raise
        raise StoreFull(
            f"the disk of the store {root} is full: nothing half-written was kept. Make room there, or name another "
            "store with --store; the same command goes on from what is finished."
        ) from error


def write_atomically(path: Path, content: bytes, *, flush: bool = True) -> None:
    """Write to a temporary name in the same folder, flush to the disk, rename: readers see the old or the new whole.

    Without ``flush`` a loss of power may undo it, which is for copies of what is kept elsewhere. Raises StoreFull.
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
    """A hidden name of this process's own, which ``sweep`` removes when the process is dead."""
    return f".{name}.{socket.gethostname()}~{os.getpid()}~{uuid.uuid4().hex[:8]}{TEMPORARY}"


def sweep(paths: Iterable[Path]) -> None:
    """Remove those of the temporary ``paths`` that processes of this host left when they were killed."""
    for path in paths:
        host, _, pid = path.name.removesuffix(TEMPORARY).rpartition("~")[0].rpartition("~")
        if host.endswith("." + socket.gethostname()) and pid.isdigit() and not _alive(int(pid)):
            with contextlib.suppress(OSError):  # a store that can only be read can still be read
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def to_disk(path: Path) -> None:
    """Flush a file, or a folder's list of names, to the disk."""
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
