"""Digests of source files, cached between commands in the user's cache folder: parsing them is half of a plan's time.

An entry holds for the bytes that it was made of, for the version of Python, whose syntax trees it digests, and for the
code that makes digests. A cache that is missing, of another form or not writable costs time and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from ddbench.paths import cache_folder

MOST = 4000
"""entries of a file; beyond that the older half is dropped"""


class Digests:
    """What was found in source files: ``(module, content) -> JSON``, kept in one file for each version of Python."""

    def __init__(self, path: Path | None, made_by: str) -> None:
        """path: the file, or None to keep nothing. made_by: digest of the code that finds it; entries of another one
        are not used."""
        self.path, self.made_by = path, made_by
        self.entries = self._read()
        self.new: dict[str, Any] = {}

    def get(self, module: str, content: bytes) -> Any:
        """What was kept for a module of this content; None where there is nothing."""
        found = self.new.get(module) or self.entries.get(module)
        return found["found"] if found and found["content"] == _digest(content) else None

    def put(self, module: str, content: bytes, found: Any) -> None:
        """Keep ``found``, which must be JSON, for a module of this content."""
        self.new[module] = {"content": _digest(content), "found": found}

    def save(self) -> None:
        """Write what is new, beside what other processes wrote meanwhile. Never fails: a cache is not needed."""
        if not self.new or self.path is None:
            return
        entries = list({**self._read(), **self.new}.items())
        self.entries, self.new = dict(entries[-MOST // 2 :] if len(entries) > MOST else entries), {}
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self.path.parent, encoding="utf-8", delete=False) as file:
                json.dump({"made_by": self.made_by, "entries": self.entries}, file)
            Path(file.name).replace(self.path)

    def _read(self) -> dict[str, Any]:
        if self.path is None:
            return {}
        try:
            kept = json.loads(self.path.read_bytes())
            return dict(kept["entries"]) if kept["made_by"] == self.made_by else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@cache
def of_this_user(finder: Path) -> Digests:
    """The cache of the user's account for what the source file ``finder`` finds."""
    version = f"{sys.implementation.name}-{sys.version_info.major}.{sys.version_info.minor}"
    folder = cache_folder()
    return Digests(folder and folder / f"code-{version}.json", _digest(finder.read_bytes()))
