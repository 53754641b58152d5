"""Numbers as text: the only place where fractions become percentages."""

from __future__ import annotations

from ddbench.results.statistics import Estimate
from ddbench.results.statistics.intervals import Interval
from ddbench.results.tables.captions import Spread
from ddbench.results.tables.model import DASH as DASH

MINUS = "−"


def percent(fraction: float | None, digits: int = 1) -> str:
    """``83.5``; a dash for None."""
    return DASH if fraction is None else f"{round(100 * fraction, digits) + 0.0:.{digits}f}"


def points(fraction: float | None, digits: int = 1) -> str:
    """A difference of fractions in percentage points, with its sign: ``+1.2``, ``−0.3``, ``0.0``."""
    if fraction is None:
        return DASH
    value = round(100 * fraction, digits)
    sign = "+" if value > 0 else MINUS if value < 0 else ""
    return f"{sign}{abs(value):.{digits}f}"


def points_interval(interval: Interval | None) -> str:
    """An interval of differences: ``−0.3 to +1.2``; a dash for None."""
    return DASH if interval is None else f"{points(interval.low)} to {points(interval.high)}"


def percent_interval(interval: Interval | None) -> str:
    """An interval of accuracies: ``82.1 to 84.9``; a dash for None."""
    return DASH if interval is None else f"{percent(interval.low)} to {percent(interval.high)}"


def half_width(estimate: Estimate) -> float | None:
    """Half of the 95 % interval before it is cut off at 0 and 1."""
    from ddbench.results.statistics.intervals import t_quantile

    if estimate.sd is None:
        return None
    return t_quantile(estimate.draws - 1) * estimate.sd / estimate.draws**0.5


def as_text(estimate: Estimate | None, spread: Spread = "sd") -> str:
    """``83.5 ± 1.7``; the reason in brackets where there is no mean, a dash for a position that no run asked for.

    ``83.2 (4/6)`` for the mean of 4 of 6 cells (``Sample.so_far``).
    """
    if estimate is None:
        return DASH
    if estimate.mean is None:
        return f"({estimate.note})"
    if estimate.ok < estimate.cells:
        return (
            f"{percent(estimate.mean)} ({', '.join(filter(None, (f'{estimate.ok}/{estimate.cells}', estimate.note)))})"
        )
    width = estimate.sd if spread == "sd" else half_width(estimate)
    return percent(estimate.mean) + ("" if width is None else f" ± {percent(width)}")


def probability(p: float | None) -> str:
    """``0.034``, ``< 0.001``; a dash for None."""
    return DASH if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def seconds(value: float | None) -> str:
    """Seconds to three digits, a dash where they are unknown."""
    if value is None:
        return DASH
    return "< 0.001" if value < 0.001 else f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def kilobytes(count: float | None) -> str:
    """Bytes in units of 1,000: ``61.4``, ``285,000``; a dash for None."""
    if count is None:
        return DASH
    value = count / 1000
    return f"{value:,.0f}" if value >= 100 or value == round(value) else f"{value:.1f}"
