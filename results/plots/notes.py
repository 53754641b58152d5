"""The note below a figure: what it averages, over how many sets, on which split and under which protocol."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ddbench.results.plots.projection import Projected
from ddbench.results.statistics import WHOLE, Position, Select
from ddbench.results.tables.captions import Spread
from ddbench.types import Cell


def note_of(kind: str, cells: Iterable[Cell], select: Select) -> str:
    """The note of a figure of ``kind`` (curves, ipc or cost) that shows ``cells``."""
    epoch = "at the last epoch" if select == "last" else "at the best epoch, chosen on these images (optimistic)"
    says = {
        "curves": "Mean top-1 accuracy over distilled sets by epoch; bands: ± one sample standard deviation over them.",
        "ipc": f"Mean top-1 accuracy over distilled sets, {epoch}; bars: 95 % t interval over them.",
        "cost": f"Mean top-1 accuracy over distilled sets, {epoch}, against the method's own computing without the "
        "prior; filled, on the dashed line: no other method is at least as good for less.",
    }
    return f"{says[kind]} {_judged(list(cells))}"


def search_note(cells: Iterable[Cell], spread: Spread = "sd") -> str:
    """The note of a figure of a search of hyper-parameters, whose complete settings were judged on ``cells``."""
    bars = "± one sample standard deviation over them" if spread == "sd" else "95 % t interval over them"
    what = f"Mean top-1 accuracy at the last epoch over distilled sets, of each setting; bars: {bars}."
    return f"{what} {_judged(list(cells))}"


def _judged(cells: Sequence[Cell]) -> str:
    """How many sets and classifiers, on which splits, under which protocols."""
    places = dict.fromkeys((cell.split, cell.protocol) for cell in cells)
    judged = "; ".join(f"split {split}, protocol {protocol}" for split, protocol in places)
    return f"{_sizes(cells)}{judged[:1].upper()}{judged[1:]}."


def _sizes(cells: Iterable[Cell]) -> str:
    """``n = 3 distilled sets, 2 classifiers each.``"""
    seeds: dict[Position, set[tuple[int, int]]] = {}
    for cell in cells:
        if cell.ipc != WHOLE:
            seeds.setdefault(Position.of(cell), set()).add((cell.seed, cell.eval_seed))
    counts = sorted({(len({s for s, _ in found}), len({e for _, e in found})) for found in seeds.values()})
    told = " or ".join(f"{s} distilled set{'s' * (s > 1)}, {c} classifier{'s' * (c > 1)} each" for s, c in counts)
    return f"n = {told}. " if told else ""


def plane_note(projected: Projected, space: str, seed: int) -> str:
    """The note of a projection into ``space``, of the distilled sets of ``seed``."""
    plane = (
        f"First two principal components of {projected.fitted} real train images in {space}, which keep "
        f"{100 * projected.explained:.0f} % of their variance."
        if projected.explained is not None
        else f"t-SNE of {projected.fitted} real train images and the distilled ones in {space}: near ones are "
        "neighbours, far ones are only that."
    )
    return (
        f"{plane} Grey: real images; coloured: the distilled set of seed {seed}, each image joined to the mean of its "
        "class. No classifier is judged here."
    )
