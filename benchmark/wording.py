"""Numbers in sentences."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """``1 cell``, ``2 cells``; ``plural``: that of ``noun`` where it is not with an s."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
