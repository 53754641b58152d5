"""Errors that a user caused and can mend: one message with what, where, the nearest right thing and what to type."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BenchError(Exception):
    """A mistake in what the user gave. The command prints the message alone and exits with code 2."""

    place: str = ""
    """dotted key of the configuration that is wrong by itself, whatever else is configured; empty for others"""

    def at(self, place: str) -> BenchError:
        """This error, about the key ``place``."""
        self.place = place
        return self


class PluginError(BenchError):
    """A registered plug-in cannot be imported. Only the cells that use it fail."""


class CorruptArtifact(Exception):
    """A stored artifact does not match its manifest: ``CorruptArtifact(kind of stage, key, reason)``."""

    @property
    def kind(self) -> str:
        return str(self.args[0])

    @property
    def key(self) -> str:
        return str(self.args[1])

    def __str__(self) -> str:
        return f"the {self.kind} artifact {self.key[:12]} is damaged: {self.args[2]}"


class OutdatedArtifact(CorruptArtifact):
    """A stored artifact is intact, but was written by an earlier release whose manifest lacks a field needed now."""

    def __str__(self) -> str:
        return f"the {self.kind} artifact {self.key[:12]} was made by a release before {self.args[2]}"


class InvalidOutput(Exception):
    """A method, dataset or protocol returned something of the wrong type, shape, classes or number of images."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name closest to ``name`` in spelling, or None when nothing is close."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return matches[0] if matches else None


def unknown(
    kind: str, name: str, known: Iterable[str], *, where: str = "", hint: str = "", close: str | None = None
) -> BenchError:
    """The error for a name that is not in ``known``: it says where, suggests the nearest name, or ``close``, and lists
    all of them."""
    known = sorted(known, key=lambda name: (int(name) if name.isdecimal() else -1, name))
    close = close or nearest(name, known)
    parts = [f"unknown {kind} {name!r}" + (f" in {where}" if where else "") + "."]
    if close:
        parts.append(f"Did you mean {close!r}?")
    parts.append(f"Known: {', '.join(known) or 'none'}.")
    if hint:
        parts.append(hint)
    return BenchError(" ".join(parts))


SLIPS = {
    "\\t": "Indent with spaces: YAML allows no tab there.",
    "mapping values are not allowed": "Does a line above lack its colon, or its quotes around a text with a colon?",
    "could not find expected ':'": "A key is written KEY: VALUE.",
    "expected ',' or ']'": "Close the list with ].",
    "expected ',' or '}'": "Close the mapping with }.",
    "expected <block end>": "Keys of one mapping begin in the same column.",
    "quoted scalar": "Close the quotes.",
    "undefined alias": "An alias *NAME needs an anchor &NAME before it.",
    "constructor": "A tag in ! is not read here: write plain values.",
}
"""a part of PyYAML's message -> what to do"""


def unreadable(error: Exception, text: str) -> str:
    """``, line 3, column 1 ('ipc: [1'): why.`` for what stopped PyYAML in ``text``; of other errors the message."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return f": {' '.join(str(error).split())}."
    lines = text.splitlines()
    line = repr(lines[mark.line].strip()) if mark.line < len(lines) else "the end"
    said = " ".join(filter(None, (getattr(error, "context", ""), getattr(error, "problem", ""))))
    whole = f"{said} {type(error).__name__.lower()}"
    hint = next((f" {todo}" for part, todo in SLIPS.items() if part in whole), "")
    return f", line {mark.line + 1}, column {mark.column + 1} ({line}): {said}.{hint}"
