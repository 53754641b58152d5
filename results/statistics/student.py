"""Student's t by ``scipy.special``: ``scipy.stats`` gives the same numbers and takes three times as long to import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Mean:
    """Means over distilled sets, with what a t test needs; all arrays have one shape."""

    value: np.ndarray
    error: np.ndarray
    """standard errors"""
    df: np.ndarray
    """degrees of freedom"""

    def above(self, bound: float) -> np.ndarray:
        """The p that the mean is at most ``bound``: the chance of a t as high as (mean - bound) / error."""
        return tail((self.value - bound) / self.error, self.df)

    def below(self, bound: float) -> np.ndarray:
        """The p that the mean is at least ``bound``."""
        return tail((bound - self.value) / self.error, self.df)

    def other_than_zero(self) -> np.ndarray:
        """The two-sided p that the mean is 0."""
        return 2 * tail(np.abs(self.value) / self.error, self.df)

    def interval(self, confidence: float) -> tuple[np.ndarray, np.ndarray]:
        """(low, high) of the mean, which it encloses with this confidence."""
        half = quantile((1 + confidence) / 2, self.df) * self.error
        return self.value - half, self.value + half


def mean_of(values: np.ndarray) -> Mean:
    """The mean over the last axis, of at least two values."""
    n = values.shape[-1]
    mean = values.mean(-1)
    return Mean(mean, np.sqrt(values.var(-1, ddof=1) / n), np.full_like(mean, n - 1))


def difference_of(b: np.ndarray, a: np.ndarray) -> Mean:
    """The mean of ``b`` minus that of ``a`` over the last axis, without assuming equal variances (Welch, Biometrika 34,
    1947; degrees of freedom by Satterthwaite, Biometrics Bulletin 2, 1946)."""
    one, other = a.var(-1, ddof=1) / a.shape[-1], b.var(-1, ddof=1) / b.shape[-1]
    df = (one + other) ** 2 / (one**2 / (a.shape[-1] - 1) + other**2 / (b.shape[-1] - 1))
    return Mean(b.mean(-1) - a.mean(-1), np.sqrt(one + other), df)


def tail(t: Any, df: Any) -> np.ndarray:
    """P(T > t) for T of ``df`` degrees of freedom."""
    from scipy.special import stdtr

    return np.asarray(stdtr(df, -np.asarray(t)))


def quantile(p: float, df: Any) -> np.ndarray:
    """The t with P(T <= t) = p."""
    from scipy.special import stdtrit

    return np.asarray(stdtrit(df, p))


def shifted_tail(t: float, df: float, shift: float) -> float:
    """P(T > t) for T of the noncentral distribution with noncentrality ``shift``."""
    from scipy.special import nctdtr

    return float(1 - nctdtr(df, shift, t))
