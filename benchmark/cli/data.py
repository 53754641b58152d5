"""``bench data``: what a dataset holds, and how its pixels are made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import click

from ddbench.cli.completion import configs, names_of
from ddbench.cli.options import json_option, plugin_option
from ddbench.wording import counted

if TYPE_CHECKING:
    from ddbench.api.data import DataSurvey
    from ddbench.data.survey import SplitSurvey

MANY = 6
"""sizes, modes, ... that are named"""
CLASSES = 40
"""classes whose counts are printed one by one"""


@click.command("data")
@click.argument("dataset", shell_complete=names_of("dataset"))
@click.option(
    "--config",
    default="digits",
    show_default=True,
    shell_complete=configs,
    help="The study whose options of the dataset are used, or a file.",
)
@click.option(
    "--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Any key of it, e.g. data.imagefolder.root=FOLDER."
)
@plugin_option
@json_option
def data(dataset: str, config: str, assignments: tuple[str, ...], plugins: tuple[str, ...], as_json: bool) -> int:
    """Read every image of DATASET and print what was found: classes, counts, sizes, files that are not used, broken
    files, duplicates, and how pixels are made.

    The exit code is 1 when a study could not use it as it is.
    """
    from ddbench.api.data import survey_data

    seen = survey_data(dataset, config=config, plugins=plugins, assignments=assignments)
    click.echo(json.dumps(seen.to_json(), indent=1) if as_json else "\n".join(_lines(seen)))
    return 0 if seen.usable else 1


def _lines(seen: DataSurvey) -> Iterator[str]:
    found = seen.found
    yield f"{found.name}: {counted(len(found.classes), 'class', 'classes')}"
    for split in found.splits:
        yield from _split(split)
    if len(found.classes) <= CLASSES:
        yield from _counts(seen)
    for test, other in found.shared:
        yield f"duplicate: {test} = {other}"
    if found.shared:
        images = len({test for test, _ in found.shared})
        told = counted(images, "test image is a train image", "test images are train images")
        yield f"{told} too, {counted(len(found.shared), 'pair')}; duplicates: {seen.duplicates}"
    for wrong in found.wrong:
        yield f"wrong: {wrong}"
    for whose, how in seen.pixels.items():
        yield f"pixels of {whose}: {how}"


def _split(split: SplitSurvey) -> Iterator[str]:
    from ddbench.data.remarks import counted as kinds_of

    counts = split.counts
    least, most = min(counts, key=lambda name: counts[name]), max(counts, key=lambda name: counts[name])
    each = (
        f"{counts[least]} ({least}) to {counts[most]} ({most})" if counts[least] < counts[most] else str(counts[most])
    )
    yield f"{split.split}: {counted(sum(counts.values()), 'image')}, {each} a class"
    repeated = counted(len(split.repeated), "image has", "images have")
    rows = {
        "folder": split.folder,
        "classes in": split.labels,
        "sizes": _named(split.sizes),
        "modes": _named(split.modes),
        "formats": _named(split.formats),
        "suffixes": _named(split.suffixes),
        "EXIF turns": f"{split.turned}, not made" if split.turned else "",
        "not used": kinds_of(split.unused),
        "broken": counted(len(split.broken), "image") if split.broken else "",
        "fingerprint": split.fingerprint,
        "repeated": f"{repeated} copies in this split" if split.repeated else "",
    }
    yield from (f"  {what:11} {text}" for what, text in rows.items() if text)
    yield from (f"  broken: {why}" for why in split.broken)
    yield from (f"  repeated: {' = '.join(group)}" for group in split.repeated)


def _counts(seen: DataSurvey) -> Iterator[str]:
    splits = seen.found.splits
    width = max(map(len, seen.found.classes))
    yield "  ".join([f"{'class':{width}}", *(f"{split.split:>10}" for split in splits)])
    for name in seen.found.classes:
        yield "  ".join([f"{name:{width}}", *(f"{split.counts.get(name, 0):10}" for split in splits)])


def _named(counts: Mapping[str, int]) -> str:
    """``RGB (12), L (3)``, the most frequent first."""
    often = sorted(counts, key=lambda name: -counts[name])
    most = [f"{name} ({counts[name]})" for name in often[:MANY]]
    left = len(counts) - MANY
    return ", ".join([*most, f"and {left} more"] if left > 0 else most)
