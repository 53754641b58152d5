"""What a searched parameter may be, read from text: ``loguniform(1e-4, 1e-1)``, ``grid(0, 5, 50)``."""

from __future__ import annotations

import math
import random
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import yaml

from ddbench.errors import BenchError, nearest

DIGITS = 4
"""significant digits of a drawn number: what is printed is exactly what was tried"""


@dataclass(frozen=True)
class Range(ABC):
    """The values that one parameter may take."""

    kind: ClassVar[str]
    text: str
    """as it was given"""

    @abstractmethod
    def draw(self, at: random.Random) -> Any:
        """One value."""

    @abstractmethod
    def corners(self) -> tuple[Any, ...]:
        """Values that must be allowed for all to be: the ends of an interval, each of a list."""


@dataclass(frozen=True)
class Bounded(Range):
    """Numbers from ``low`` to ``high``, both possible."""

    low: float
    high: float

    def corners(self) -> tuple[float, float]:
        return self.low, self.high

    def _rounded(self, value: float) -> float:
        """To ``DIGITS``, and never outside for that."""
        return min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)


class Uniform(Bounded):
    """Every number as likely."""

    kind = "uniform"

    def draw(self, at: random.Random) -> float:
        return self._rounded(at.uniform(self.low, self.high))


class LogUniform(Bounded):
    """Every order of magnitude as likely; ``low`` is above zero."""

    kind = "loguniform"

    def draw(self, at: random.Random) -> float:
        return self._rounded(math.exp(at.uniform(math.log(self.low), math.log(self.high))))


class RandInt(Bounded):
    """Whole numbers, both ends included."""

    kind = "randint"

    def draw(self, at: random.Random) -> int:
        return at.randint(int(self.low), int(self.high))

    def corners(self) -> tuple[int, int]:
        return int(self.low), int(self.high)


@dataclass(frozen=True)
class Listed(Range):
    """One of ``values``, each once."""

    values: tuple[Any, ...]

    def draw(self, at: random.Random) -> Any:
        return at.choice(self.values)

    def corners(self) -> tuple[Any, ...]:
        return self.values


class Choice(Listed):
    """A list to draw from."""

    kind = "choice"


class Grid(Listed):
    """A list to go through."""

    kind = "grid"


INTERVALS: dict[str, type[Bounded]] = {c.kind: c for c in (Uniform, LogUniform, RandInt)}
LISTS: dict[str, type[Listed]] = {c.kind: c for c in (Choice, Grid)}
EXAMPLE = "--param methods.rsm.objective.weight='loguniform(1e-4, 1e-1)'"


def parse_parameter(text: str) -> tuple[str, Range]:
    """``key=range(...)`` as (key, range). Raises BenchError with an example, or the nearest right name."""
    key, equals, given = text.partition("=")
    if not equals or not re.fullmatch(r"[^\s=.]+(\.[^\s=.]+)+", key):
        raise BenchError(f"--param {text!r} is not key=range. Example: {EXAMPLE}")
    return key, parse_range(given.strip(), f"--param {text!r}")


def parse_range(text: str, where: str) -> Range:
    """The range that ``text`` says; ``where`` names it in messages. Raises BenchError."""
    found = re.fullmatch(r"(\w+)\s*\((.*)\)", text, re.DOTALL)
    known = [*INTERVALS, *LISTS]
    if not found:
        raise BenchError(f"{where}: {text!r} is not a range. Known: {', '.join(f'{k}(...)' for k in known)}.")
    kind = found[1]
    if kind not in known:
        close = nearest(kind, known)
        hint = f" Did you mean {close!r}?" if close else ""
        raise BenchError(f"{where}: unknown range {kind!r}.{hint} Known: {', '.join(known)}.")
    values = _values(found[2], where)
    if kind in LISTS:
        # False is 0 and True is 1 to Python, and not to whoever lists them.
        repeated = [v for i, v in enumerate(values) if any(type(w) is type(v) and w == v for w in values[:i])]
        if not values or repeated:
            problem = f"names {repeated[0]!r} twice" if repeated else "is empty"
            raise BenchError(f"{where}: the list {problem}. Example: {kind}(1, 5, 50)")
        return LISTS[kind](text, tuple(values))
    return _interval(kind, text, values, where)


def _interval(kind: str, text: str, values: list[Any], where: str) -> Bounded:
    example = f"Example: {kind}({'1, 8' if kind == 'randint' else '0.001, 0.1'})"
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v)]
    if len(values) != 2 or len(numbers) != 2:
        raise BenchError(f"{where}: {kind} takes two numbers, a low and a high one. {example}")
    low, high = numbers
    if low >= high:
        raise BenchError(f"{where}: the first number of {kind} must be below the second. {example}")
    if kind == "loguniform" and low <= 0:
        raise BenchError(f"{where}: loguniform starts above zero. {example}")
    if kind == "randint" and not all(isinstance(v, int) for v in numbers):
        raise BenchError(f"{where}: randint takes whole numbers. {example}")
    return INTERVALS[kind](text, low, high)


def _values(text: str, where: str) -> list[Any]:
    """A comma-separated list of YAML values; ``1e-4`` is a number here, as it is not in YAML 1.1."""
    try:
        values = yaml.safe_load(f"[{text}]")
    except yaml.YAMLError:
        values = None
    if not isinstance(values, list) or not all(map(_plain, values := [_number(value) for value in values])):
        raise BenchError(
            f"{where}: cannot read the values {text!r}: numbers, words and lists of them. Example: {EXAMPLE}"
        )
    return values


def _plain(value: Any) -> bool:
    """Whether it is a number, a word or a list of them: no date, no infinity, no mapping."""
    if isinstance(value, list):
        return all(map(_plain, value))
    return value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value))


def _number(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d+", value):
        return float(value)
    return [_number(v) for v in value] if isinstance(value, list) else value
