"""Several faults of a dataset as one error."""

from __future__ import annotations

from collections.abc import Sequence

from ddbench.errors import BenchError

SHOWN = 20
"""faults that the message names"""


class InvalidData(BenchError):
    """All faults of one sort: the message names the first ones, ``lines`` has every one."""

    def __init__(self, what: str, lines: Sequence[str], then: str = "") -> None:
        """``what``: how many of what, without a full stop; ``then``: what to do, after the faults."""
        self.lines = tuple(lines)
        first, left = lines[:SHOWN], len(lines) - SHOWN
        more = f" And {left} more." if left > 0 else ""
        head = "" if len(lines) == 1 and not then else f"{what}: "
        super().__init__(f"{head}{' '.join(first)}{more}{f' {then}' if then else ''}")
