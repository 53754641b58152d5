"""Finding a cell by its coordinates or the beginning of its key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ddbench.errors import BenchError, nearest

if TYPE_CHECKING:
    from ddbench.types import Cell

SHORTEST = 4
"""fewest characters of a key that are looked up"""
MOST = 8
"""most cells that a message names"""


def find_cell(text: str, cells: Mapping[Cell, str], others: Mapping[str, Cell]) -> tuple[Cell, str]:
    """(cell, key) for ``text``: coordinates of a cell, as ``bench status`` writes them, or the beginning of its key.

    cells: cell -> key, that runs asked for; others: key -> cell, of earlier configurations. Raises BenchError, with the
    nearest cell or the choices, when none or several match.
    """
    text = text.strip().strip("/")
    if re.fullmatch(rf"[0-9a-f]{{{SHORTEST},}}", text):
        by_key = {**others, **{key: cell for cell, key in cells.items()}}
        matches = [(cell, key) for key, cell in by_key.items() if key.startswith(text)]
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise BenchError(
                f"{len(matches)} keys begin with {text!r}: {_list(k for _, k in matches)}. Write more of it."
            )
        raise BenchError(
            f"no key begins with {text!r}. `bench show` takes a cell's coordinates too, such as {_any(cells)}"
        )
    exact = [(cell, key) for cell, key in cells.items() if str(cell) == text]
    if len(exact) == 1:
        return exact[0]
    if exact:
        choices = _list(f"{key[:12]} ({cell.split}, {cell.protocol})" for cell, key in exact)
        raise BenchError(f"{text} was judged in several ways: {choices}. Write the beginning of the key that you mean.")
    within = [str(cell) for cell in cells if str(cell).startswith(f"{text}/")]
    if within:
        raise BenchError(f"{text} is the beginning of {len(within)} cells: {_list(within)}. Write one in full.")
    close = nearest(text, map(str, cells))
    hint = f"Did you mean {close}?" if close else f"A cell is written like {_any(cells)}"
    raise BenchError(f"no run on this store asked for {text!r}. {hint}")


def _list(names: object) -> str:
    texts = list(names)  # type: ignore[call-overload]
    return ", ".join(texts[:MOST]) + (f" and {len(texts) - MOST} more" if len(texts) > MOST else "")


def _any(cells: Mapping[Cell, str]) -> str:
    return str(next(iter(cells), "digits/rsm_cgs/ipc1/seed0/convnet3-w32/eval0"))
