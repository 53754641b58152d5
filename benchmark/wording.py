"""Numbers in sentences, and sentences of docstrings."""

from __future__ import annotations

import re


def counted(number: int, noun: str, plural: str = "") -> str:
    """``1 cell``, ``2 cells``; ``plural``: that of ``noun`` where it is not with an s."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def first_sentence(text: str) -> str:
    """The first sentence of a docstring, also where it takes several lines; a first paragraph without a full stop is
    taken whole."""
    paragraph = " ".join(text.strip().split("\n\n")[0].split())
    return re.split(r"(?<=[.!?])\s+(?=[A-Z`])", paragraph, maxsplit=1)[0]
