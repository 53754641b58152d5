"""The numbers of a search's figure: the points of its curves and the cells of its maps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ddbench.results.interaction import Map, maps
from ddbench.results.sensitivity_curves import Curve, Parameter, Setting, curve_of, value_text
from ddbench.results.statistics.intervals import Interval
from ddbench.results.tables.block import ends
from ddbench.results.tables.model import Column, Table, items
from ddbench.results.tables.text import percent, percent_interval

POINTS = (
    Column("parameter", "l", "Parameter"),
    Column("value", paper="Value"),
    Column("top-1"),
    Column("95 % interval", with_previous=True),
    Column("beside the best", "l", "Beside the best"),
    Column("the other parameters", "l", "The other parameters"),
)
NEAR = {"best": "best", "flat": "within the margin", "worse": "worse", "not told": "neither is shown"}


def sensitivity_tables(
    parameters: Sequence[Parameter], settings: Sequence[Setting], margin: float, note: str
) -> list[Table]:
    """The curves as a table, and one for each map. ``margin``: percentage points within which a value is flat."""
    labels = {parameter.key: parameter.label for parameter in parameters}
    curves = [curve for parameter in parameters if (curve := curve_of(settings, parameter.key))]
    body, data = [], []
    for curve in curves:
        for setting, near in zip(curve.settings, curve.near(margin / 100), strict=True):
            value = setting.values[curve.key]
            body.append(
                items(
                    labels[curve.key],
                    value_text(value),
                    percent(setting.top1),
                    percent_interval(_interval(setting)),
                    NEAR[near] + (", chosen" if setting.chosen else ""),
                    curve.where(labels),
                )
            )
            data.append(_point(curve, value, setting, near))
        for value, why in curve.left_out:
            body.append(items(labels[curve.key], value_text(value), "–", "–", why, curve.where(labels)))
            data.append(_point(curve, value, None, None) | {"outcome": why})
    caption = (
        f"The curve of each parameter, with the others at the values named. Within the margin: shown to be within "
        f"{margin:g} percentage points of the best; elsewhere: tried with other values of the others alone. {note}"
    )
    return [
        Table(POINTS, tuple(body), caption, lambda: data, stub=1),
        *(_map_table(found, labels, note) for found in maps([*labels], settings)),
    ]


def _point(curve: Curve, value: Any, setting: Setting | None, near: str | None) -> dict[str, Any]:
    return {
        "kind": "curve",
        "parameter": curve.key,
        "value": value,
        "parameter_2": None,
        "value_2": None,
        "others": json.dumps(dict(curve.others)),
        "others_of": curve.owner,
        **_measured(setting),
        "beside_best": near,
    }


def _measured(setting: Setting | None) -> dict[str, Any]:
    judged = setting if setting and setting.outcome == "ok" else None
    return {
        "outcome": setting.outcome if setting else "not tried",
        "top1_mean": judged.top1 if judged else None,
        "top1_sd": judged.spread if judged else None,
        **ends(_interval(judged) if judged else None),
        "distilled_sets": len(judged.by_set) if judged else None,
        "chosen": bool(setting and setting.chosen),
    }


def _interval(setting: Setting) -> Interval | None:
    if setting.half is None or setting.top1 is None:
        return None
    return Interval(max(0.0, setting.top1 - setting.half), min(1.0, setting.top1 + setting.half))


def _map_table(found: Map, labels: Mapping[str, str], note: str) -> Table:
    columns = (Column(labels[found.y]), *(Column(f"{labels[found.x]} {value_text(x)}") for x in found.xs))
    body = [
        items(value_text(y), *(why or percent(s.top1 if s else None) for s, why in zip(cells, blank, strict=True)))
        for y, cells, blank in zip(found.ys, found.cells, found.blank, strict=True)
    ]
    data = [
        {
            "kind": "map",
            "parameter": found.x,
            "value": x,
            "parameter_2": found.y,
            "value_2": y,
            "others": json.dumps(dict(found.others)),
            "others_of": None,
            **_measured(setting),
            "beside_best": None,
        }
        for y, row in zip(found.ys, found.cells, strict=True)
        for x, setting in zip(found.xs, row, strict=True)
    ]
    where = found.where(labels)
    caption = f"Top-1 accuracy (%) of the combinations of {labels[found.x]} and {labels[found.y]}"
    return Table(columns, tuple(body), f"{caption}{f', with {where}' if where else ''}. {note}", lambda: data)
