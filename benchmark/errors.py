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
