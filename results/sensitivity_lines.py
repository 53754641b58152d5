"""A search in words: of each parameter the best value, and where its optimum is flat."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from ddbench.results.sensitivity_curves import OWNERS, Curve, Parameter, Setting, curve_of, value_text
from ddbench.wording import counted

LEFT_OUT = {
    "failed": "failed",
    "stopped early": "stopped early",
    "elsewhere": "tried with other values of the others alone",
}


def flat_lines(parameters: Sequence[Parameter], settings: Sequence[Setting], margin: float) -> list[str]:
    """A line for each parameter: at which values of the others it holds, its best value there, and which further values
    are shown to be within ``margin`` percentage points of it, shown to be worse, or neither; and which are on no
    curve."""
    labels = {parameter.key: parameter.label for parameter in parameters}
    lines = []
    for parameter in parameters:
        curve = curve_of(settings, parameter.key)
        if curve is None:
            lines.append(f"{parameter.key}: no setting was judged")
            continue
        told = _told(curve, margin) if len(curve.settings) > 1 else [_alone(curve)]
        for outcome, words in LEFT_OUT.items():
            if values := [value_text(value) for value, why in curve.left_out if why == outcome]:
                told.append(f"{words}: {', '.join(values)}")
        where = curve.where(labels)
        lines.append(f"{parameter.key}{f', with {where}' if where else ''}: {'; '.join(told)}")
    return lines


def _told(curve: Curve, margin: float) -> list[str]:
    values = [value_text(setting.values[curve.key]) for setting in curve.settings]
    near = curve.near(margin / 100)
    best = near.index("best")
    mean = 100 * statistics.fmean(curve.settings[best].by_set.values())
    points = counted(1, "point") if margin == 1 else f"{margin:g} points"
    says = {
        "flat": f"shown to be within {points} of it",
        "worse": "shown to be worse",
        "not told": f"shown neither to be within {points} of it nor to be worse",
    }
    told = [f"best {values[best]} ({mean:.1f} %)"]
    for kind, words in says.items():
        if kind in near:
            told.append(f"{words}: {', '.join(v for v, found in zip(values, near, strict=True) if found == kind)}")
    if all(len(setting.by_set) < 2 for setting in curve.settings):
        told.append("a single distilled set shows nothing")
    return told


def _alone(curve: Curve) -> str:
    values = [value_text(setting.values[curve.key]) for setting in curve.settings]
    return f"{values[0] if values else 'no value'} alone was judged {OWNERS[curve.owner]}"
