"""Names with options: ``rsm[weight=0.002]`` is the method rsm with one field changed, a row of its own in every table.

The grammar is NAME or NAME[KEY=VALUE,...]; a key may be dotted, a value is YAML and may itself hold brackets. In a list
of names a value may be ``grid(V,...)``: ``rsm[weight=grid(0.002,0.004)]`` is two names, one for each value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import yaml

from ddbench.config.reading import read_yaml
from ddbench.errors import BenchError

KEY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
OPENING, CLOSING = "[({", "])}"


@dataclass(frozen=True)
class Selected:
    """A registered name with changes of its fields."""

    name: str
    changes: dict[str, Any] = field(default_factory=dict)
    """nested like the dataclasses"""


def parse(text: str) -> Selected:
    """``"rsm[objective.weight=0.002]"`` -> name ``rsm``, changes ``{"objective": {"weight": 0.002}}``.

    Raises BenchError for brackets that do not match, a key without a value or one given twice.
    """
    name, bracket, rest = text.partition("[")
    if not bracket:
        return Selected(text)
    if not name or not rest.endswith("]"):
        raise _malformed(text, "it must be NAME[KEY=VALUE,...]")
    changes: dict[str, Any] = {}
    for piece in split(rest[:-1]):
        key, equals, value = (part.strip() for part in piece.partition("="))
        if not equals or not KEY.fullmatch(key):
            raise _malformed(text, f"{piece!r} is not KEY=VALUE")
        _put(changes, key, _value(text, value), text)
    if not changes:
        raise _malformed(text, "the brackets hold nothing")
    return Selected(name, changes)


def with_option(text: str, key: str, value: str) -> str:
    """``text``, NAME or NAME[KEY=VALUE,...], with ``key=value`` as its last option and no other of that key, also by
    its last part alone: ``rsm[objective.weight=1]``."""
    name, _, rest = text.partition("[")
    kept = [piece for piece in split(rest[:-1]) if piece.partition("=")[0].strip() not in (key, key.split(".")[-1])]
    return f"{name}[{','.join([*kept, f'{key}={value}'])}]"


def canonical(text: str) -> str:
    """``text`` without optional blanks, so that equal variants have equal names."""
    name, bracket, rest = text.strip().partition("[")
    if not bracket or not rest.endswith("]"):
        return text.strip()
    pieces = ("=".join(part.strip() for part in piece.split("=", 1)) for piece in split(rest[:-1]))
    return f"{name.strip()}[{','.join(pieces)}]"


def expand(text: str) -> list[str]:
    """The canonical names that ``text`` stands for: every combination of its grids, the last grid varying fastest.

    Raises BenchError for a grid that is empty or lacks its closing bracket.
    """
    text = canonical(text)
    name, bracket, rest = text.partition("[")
    if not bracket or not rest.endswith("]"):
        return [text]
    choices = []
    for piece in split(rest[:-1]):
        key, _, value = piece.partition("=")
        grid = re.fullmatch(r"grid\s*\((.*)\)", value, re.DOTALL)
        if re.match(r"grid\s*\(", value) and not grid:
            raise _malformed(text, f"the grid of {key!r} is not closed; write {key}=grid(1,2)")
        values = split(grid[1]) if grid else [value]
        if not values:
            raise _malformed(text, f"the grid of {key!r} is empty; write {key}=grid(1,2)")
        choices.append([f"{key}={one}" if value else piece for one in values])
    return [f"{name}[{','.join(chosen)}]" for chosen in product(*choices)]


def split(text: str) -> list[str]:
    """``text`` split at the commas outside brackets; parts are stripped and empty ones dropped."""
    return [part for part in (piece.strip() for piece in _pieces(text)) if part]


def _pieces(text: str) -> Iterator[str]:
    depth, start = 0, 0
    for i, character in enumerate(text):
        depth += (character in OPENING) - (character in CLOSING)
        if character == "," and depth == 0:
            yield text[start:i]
            start = i + 1
    yield text[start:]


def _put(changes: dict[str, Any], key: str, value: Any, text: str) -> None:
    *parents, last = key.split(".")
    node = changes
    for part in parents:
        if isinstance(node.get(part), str):  # teacher=TeacherFile beside teacher.size=64: a type and fields of it
            node[part] = {"type": node[part]}
        node = node.setdefault(part, {})
        if not isinstance(node, dict):
            raise _malformed(text, f"{part!r} is given a value and fields at once")
    if isinstance(value, str) and isinstance(node.get(last), dict) and "type" not in node[last]:
        node, last = node[last], "type"
    if last in node:
        raise _malformed(text, f"{key!r} is given twice")
    node[last] = value


def _value(text: str, value: str) -> Any:
    try:
        return read_yaml(value, repr(text))[0]
    except yaml.YAMLError:
        raise _malformed(text, f"{value!r} is not a YAML value; put quotes around it") from None


def _malformed(text: str, why: str) -> BenchError:
    return BenchError(f"{text!r}: {why}. Example: 'rsm[weight=0.002]', in quotes, as the shell knows brackets too.")
