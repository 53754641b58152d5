"""The files of a store that stay on this machine, since they can be made again: caches, scratch folders, progress."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from ddbench.store.durable import explain_full_disk, temporary_name


class Workspace:
    """The local folder of a store, as far as it holds no results."""

    def __init__(self, root: Path) -> None:
        self.root = root
        """local folder of the store"""

    def cache(self, name: str, fill: Callable[[Path], None]) -> Path:
        """The cached folder ``name``; ``fill`` writes it when it does not exist. One process fills it, others wait."""
        from filelock import FileLock

        final = self.root / "cache" / name
        final.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(final.parent / f".{name}.lock"):
            if not final.exists():
                temporary = final.parent / temporary_name(name)
                temporary.mkdir()
                try:
                    with explain_full_disk(self.root):
                        fill(temporary)
                    temporary.rename(final)
                finally:
                    shutil.rmtree(temporary, ignore_errors=True)
        return final

    def scratch(self, key: str) -> Path:
        """The scratch folder of the stage ``key``, kept until its artifact is written."""
        folder = self.root / "scratch" / key
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def clear_scratch(self, key: str) -> None:
        shutil.rmtree(self.root / "scratch" / key, ignore_errors=True)
        (self.root / "progress" / key).unlink(missing_ok=True)

    def progress(self, key: str) -> Callable[[int, int], None]:
        """``note(done, total)`` for the stage ``key``; writes to a file at most once a second."""
        path, last = self.root / "progress" / key, 0.0

        def note(done: int, total: int) -> None:
            nonlocal last
            if time.monotonic() - last > 1:
                last = time.monotonic()
                path.parent.mkdir(exist_ok=True)
                path.write_text(f"{done} {total}")

        return note

    def how_far(self, key: str) -> float | None:
        """The fraction of the stage ``key`` that is done, or None when it has not reported progress."""
        try:
            done, total = (self.root / "progress" / key).read_text().split()
            return int(done) / int(total)
        except (OSError, ValueError, ZeroDivisionError):
            return None
