"""The settings of a search, and of each parameter the curve along which it alone differs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ddbench.results.statistics.flat import Nearness, around_best

Outcome = Literal["ok", "failed", "stopped early", "not tried", "elsewhere"]
"""elsewhere: tried with other values of the other parameters alone"""

OWNERS = {"best": "as in the best setting", "study": "as in the study"}
"""whose values the other parameters have -> words"""


@dataclass(frozen=True)
class Parameter:
    """A searched parameter. ``log`` says that it was drawn by orders of magnitude."""

    key: str
    label: str
    log: bool


@dataclass(frozen=True)
class Setting:
    """A setting that was tried. ``top1`` and ``spread`` (standard deviation over distilled sets) are fractions."""

    values: dict[str, Any]
    varied: tuple[str, ...]
    """keys whose value is not the study's own; none for the study's own setting"""
    top1: float | None
    """None where it failed"""
    spread: float | None
    complete: bool
    """False where it was stopped early, so that its mean is over fewer cells"""
    chosen: bool
    half: float | None = None
    """half of the 95 % t interval of ``top1`` over distilled sets"""
    by_set: Mapping[int, float] = field(default_factory=dict)
    """seed of a distilled set -> its top-1, a fraction"""

    def others(self, *keys: str) -> dict[str, Any]:
        """Its values of all parameters but ``keys``."""
        return {key: value for key, value in self.values.items() if key not in keys}

    @property
    def outcome(self) -> Outcome:
        return "failed" if self.top1 is None else "ok" if self.complete else "stopped early"


@dataclass(frozen=True)
class Curve:
    """Complete settings that differ in ``key`` alone, by its value; of one setting or none where it has no curve."""

    key: str
    settings: tuple[Setting, ...]
    others: Mapping[str, Any]
    """values of the other parameters"""
    owner: Literal["best", "study"]
    """whose values those are"""
    left_out: tuple[tuple[Any, Outcome], ...]
    """further values of ``key``, and why they are not on the curve"""

    def near(self, margin: float) -> list[Nearness]:
        """How each of ``settings`` stands to the best of them (of equally good ones the chosen), to within ``margin``,
        a fraction."""
        ranked = sorted(enumerate(self.settings), key=lambda place: not place[1].chosen)
        found = around_best({i: setting.by_set for i, setting in ranked}, margin)
        return [found[i] for i in range(len(self.settings))]

    def where(self, labels: Mapping[str, str]) -> str:
        """``eta 5, kind a (as in the best setting)``: the values that it holds at; empty without other parameters."""
        told = ", ".join(f"{labels.get(key, key)} {value_text(value)}" for key, value in self.others.items())
        return f"{told} ({OWNERS[self.owner]})" if told else ""


def curve_of(settings: Sequence[Setting], key: str) -> Curve | None:
    """The curve of ``key``, with the others as in the best setting or, where it alone was tried there, as in the
    study; None where no setting was judged."""
    judged = [s for s in settings if s.top1 is not None]
    best, own = [s for s in judged if s.chosen], [s for s in judged if not s.varied]
    curves = [
        *(_through(base, "best", settings, key) for base in best),
        *(_through(base, "study", settings, key) for base in own),
    ]
    return next((curve for curve in curves if len(curve.settings) > 1), curves[0] if curves else None)


def _through(base: Setting, owner: Literal["best", "study"], settings: Sequence[Setting], key: str) -> Curve:
    rest = identity(base.others(key))
    beside = [s for s in settings if identity(s.others(key)) == rest]
    line = [s for s in beside if s.outcome == "ok" and s.by_set]
    on_it = {identity(s.values[key]) for s in line}
    why: dict[str, Outcome] = {identity(s.values[key]): s.outcome for s in beside}
    further = [v for v in in_order([s.values[key] for s in settings]) if identity(v) not in on_it]
    left_out = tuple((value, why.get(identity(value), "elsewhere")) for value in further)
    places = [identity(value) for value in in_order([s.values[key] for s in line])]
    ordered = tuple(sorted(line, key=lambda s: places.index(identity(s.values[key]))))
    return Curve(key, ordered, base.others(key), owner, left_out)


def identity(value: Any) -> str:
    """Equal for equal values alone: 1 and 1.0 are the same, 1 and True are not, and lists are no keys of a dict."""
    if isinstance(value, Mapping):
        return repr({key: identity(value[key]) for key in sorted(value)})
    return repr(float(value)) if is_number(value) else repr(value)


def in_order(values: Iterable[Any]) -> tuple[Any, ...]:
    """Each value once: numbers by size; any others by name, behind them."""
    distinct = {identity(value): value for value in values}.values()
    numbers = [value for value in distinct if is_number(value)]
    return (*sorted(numbers), *sorted((value for value in distinct if not is_number(value)), key=str))


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def value_text(value: Any) -> str:
    return f"{value:g}" if is_number(value) else str(value)
