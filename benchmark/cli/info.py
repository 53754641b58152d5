"""``bench info``: describes a method, or anything else that is registered, and its options."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ddbench.cli.choice import Choice
from ddbench.cli.completion import anything
from ddbench.cli.options import store_option
from ddbench.config import variants
from ddbench.errors import BenchError, unknown
from ddbench.plugins.registry import ALSO, CLASSES, KINDS, Entry, Kind, entries, kind_named, load
from ddbench.plugins.silent import silent_hint
from ddbench.types import Distiller, Record

if TYPE_CHECKING:
    from rich.console import Console

CHOICES = {"TeacherFile": "rded@1[teacher=TeacherFile]", "TrainedTeacher": "rded@1[teacher=TrainedTeacher]"}
"""class that an option names -> where it is described"""


@click.command()
@click.argument("name", metavar="[KIND/]NAME", shell_complete=anything)
@click.option(
    "--kind", type=Choice(KINDS, "kind", ALSO), help="Which of several things of that name; also written KIND/NAME."
)
@store_option
@click.option("--plugin", "plugins", multiple=True, metavar="FILE", help="A Python file that registers more.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def info(name: str, kind: Kind | None, store: Path | str, plugins: tuple[str, ...], as_json: bool) -> None:
    """Describe the method, dataset, arch, protocol, objective, guidance or watcher NAME: its origin, what it
    computes and needs, its options, and its cost so far in the store.

    Set options with --set methods.NAME.OPTION=VALUE, or name a variant 'NAME[OPTION=VALUE]', which gets its own row in
    tables; NAME may be such a variant. Of names that several things have, all are shown; KIND/NAME is one.
    """
    from ddbench.plugins.files import absolute, load_plugins

    load_plugins(absolute(plugins))
    kinds, name = _asked(kind, name)
    chosen = variants.parse(variants.canonical(name))
    here = [(kind, entry) for kind in kinds if (entry := _entry(kind, chosen.name))]
    described, refused = [], []
    for kind, entry in here:
        try:
            described.append(_about(kind, entry, chosen))
        except BenchError as error:  # rsm[objective.weight=1] is a variant of the method rsm, not of the objective rsm
            refused.append(error)
    if refused and not described:
        raise refused[0]
    if not described:
        known = {known for kind in kinds for known in entries(kind)}
        what = kinds[0] if len(kinds) == 1 else "name"
        if place := CHOICES.get(chosen.name):
            raise BenchError(f"{chosen.name} is a choice of the option teacher: `bench info '{place}'` describes it.")
        also = [other for other in KINDS if other not in kinds and chosen.name in entries(other)]
        silent = silent_hint(kinds[0] if len(kinds) == 1 else "method", chosen.name)
        hint = f"`bench list methods` and the like show them. {silent}".strip()
        raise unknown(what, chosen.name, known, hint=f"It is the name of {_listed(also)}." if also else hint)
    for about in described:
        about["cost"] = list(_costs(store, variants.canonical(name))) if about["kind"] == "method" else []
    if as_json:
        click.echo(json.dumps(described, indent=1))
        return
    if len(described) > 1:
        click.echo(
            f"{chosen.name} is the name of {_listed([about['kind'] for about in described])}, which follow. "
            f"One alone: {', '.join(_command(about['kind'], name) for about in described)}\n"
        )
    for about in described:
        _print(about)


def _asked(kind: Kind | None, text: str) -> tuple[Sequence[Kind], str]:
    """The kinds that NAME or KIND/NAME may be of, and the name. Raises BenchError for contradictory ones."""
    before, slash, name = text.partition("/")
    if not slash or "[" in before:
        return ([kind] if kind else KINDS), text
    found = kind_named(before)
    if found is None:
        raise unknown("kind", before, KINDS, hint=f"Example: {_command('objective', 'rsm')}")
    if kind not in (None, found):
        raise BenchError(f"{text!r} is asked for with --kind {kind}: leave one of the two out.")
    return [found], name


def _entry(kind: Kind, name: str) -> Entry | None:
    """What is registered as ``name``, or that member of a registered collection (``timm:resnet18``); None: nothing."""
    known = entries(kind)
    collection, colon, _ = name.partition(":")
    if name in known or not colon or collection not in known or kind in CLASSES:
        return known.get(name)
    return dataclasses.replace(known[collection], name=name, value=load(kind, name))


def _listed(kinds: Sequence[str]) -> str:
    """``a method and an objective``"""
    return " and ".join(f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}" for kind in kinds)


def _command(kind: str, name: str) -> str:
    return f"`bench info {shlex.quote(f'{kind}/{name}')}`"


def _about(kind: Kind, entry: Entry, chosen: variants.Selected) -> dict[str, Any]:
    import inspect

    from ddbench.api.cards import card_of
    from ddbench.config.addresses import version_of
    from ddbench.config.fields import describe_fields
    from ddbench.config.values import override

    value = entry.load()
    if inspect.isclass(value):
        try:
            value = value()
        except TypeError:
            raise BenchError(f"the {kind} {entry.name!r} has options without defaults; give them some.") from None
    if kind == "method" and not isinstance(value, Distiller):
        raise BenchError(f"the method {entry.name!r} is a {type(value).__name__}, not a Distiller.")
    if chosen.changes:
        value = override(value, chosen.changes, chosen.name)
    stages = [p.stage for p in value.preparations(0)] + ["distill"] if kind == "method" else []
    fields = [dataclasses.asdict(field) for field in describe_fields(value)] if dataclasses.is_dataclass(value) else []
    return {
        "kind": kind,
        "name": entry.name,
        "version": version_of(value if inspect.isclass(value) else type(value)),
        "summary": entry.summary(),
        "text": inspect.getdoc(type(value)) or "",
        "module": inspect.getdoc(inspect.getmodule(type(value))) or "",
        "parts": {name: inspect.getdoc(type(part)) or "" for name, part in _parts(value)},
        "origin": entry.origin,
        "reference": entry.reference,
        "stages": stages,
        "family": getattr(value, "family", ""),
        "needs": dataclasses.asdict(value.needs()) if kind == "method" else {},
        "options": fields,
        "card": card_of(entry, value),
    }


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """(``field: class``, value) of the dataclasses in its fields: an objective, a guidance, a sampler."""
    for field in dataclasses.fields(value) if dataclasses.is_dataclass(value) else ():
        if dataclasses.is_dataclass(part := getattr(value, field.name)):
            yield f"{field.name}: {type(part).__name__}", part


def _costs(folder: Path | str, method: str) -> Iterator[dict[str, Any]]:
    """Mean seconds by stage of the sets of a method in a store, for each dataset and ipc."""
    from ddbench.results.cost import OWN, cost_of
    from ddbench.store.opening import open_store, store_exists

    if not store_exists(folder):
        return
    groups: dict[tuple[str, int], list[Record]] = defaultdict(list)
    for record in open_store(folder, create=False).records():
        if record.cell.method == method and record.outcome == "ok":
            groups[record.cell.dataset, record.cell.ipc].append(record)
    for (dataset, ipc), records in sorted(groups.items()):
        cost = cost_of(records, {})
        seconds = {kind: mean for kind in OWN if (mean := getattr(cost, kind)) is not None}
        yield {"dataset": dataset, "ipc": ipc, "seconds": seconds}


def _print(about: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    version = f", version {about['version']}" if about["version"] > 1 else ""
    console.print(f"[bold]{escape(about['name'])}[/bold]  {about['kind']}{version}: {escape(about['summary'])}")
    console.print(f"from {escape(about['origin'])}, {escape(about['reference'])}\n", soft_wrap=True)
    for text in filter(None, dict.fromkeys((about["text"], about["module"]))):
        console.print(f"{escape(_flowing(text))}\n")
    for name, text in about["parts"].items():
        console.print(f"[bold]{escape(name)}[/bold]\n{escape(_flowing(text))}\n")
    if about["stages"]:
        family = f"; options of the family: methods.{about['family']}.OPTION" if about["family"] else ""
        console.print(f"stages: {' -> '.join(about['stages'])}{escape(family)}\n")
    if about["needs"]:
        console.print(f"needs: {escape(_needs(**about['needs']))}\n")
    for one in about["cost"]:
        seconds = ", ".join(f"{kind} {number:.3g} s" for kind, number in one["seconds"].items())
        console.print(f"cost in the store, {escape(one['dataset'])} at IPC {one['ipc']}: {seconds}")
    if about["cost"]:
        console.print("means over distilled sets; `bench table --layout cost` shows all methods\n")
    if about["card"]:
        _print_card(console, about["card"])
    if not about["options"]:
        console.print("no options")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("option", "type", "default", "what it is"):
        table.add_column(column, header_style="bold", overflow="fold")
    for option in about["options"]:
        table.add_row(*(escape(option[key]) for key in ("name", "type", "value", "text")))
    console.print(table)


def _print_card(console: Console, card: dict[str, Any]) -> None:
    """What the authors' code does beside what ours does, a paragraph an item, open differences first."""
    from rich.markup import escape

    differ = sum(item["status"] == "differs" for item in card["items"])
    console.print(f"[bold]fidelity[/bold]: {len(card['items'])} items, {differ} of them not as the authors' code")
    console.print(escape(" ".join(filter(None, (card["paper"], f"({card['source']})" if card["source"] else "")))))
    for item in sorted(card["items"], key=lambda one: one["status"] != "differs"):
        effect = f" Effect: {item['effect']}." if item["effect"] else ""
        test = f" [{item['test']}]" if item["test"] else ""
        text = f"{item['status']:10} {item['item']}. Source: {item['source']}. Ours: {item['ours']}.{effect}{test}"
        console.print(escape(text))
    console.print()


def _flowing(text: str) -> str:
    """A docstring with each paragraph on one line, for the terminal to wrap."""
    paragraphs = (" ".join(part.split()) for part in text.replace("``", "`").split("\n\n"))
    return "\n\n".join(paragraphs)


def _needs(
    inputs: str, ipc: tuple[int, int | None], channels: tuple[int, ...], gpu: bool, memory_gib: float, knowledge: str
) -> str:
    """The needs of a method as text."""
    parts = [inputs]
    if tuple(ipc) != (1, None):
        parts.append(f"ipc {ipc[0]} to {ipc[1]}" if ipc[1] else f"ipc {ipc[0]} or more")
    if channels:
        parts.append(f"{' or '.join(map(str, channels))} channels")
    if gpu:
        parts.append("a GPU")
    if memory_gib:
        parts.append(f"{memory_gib:g} GiB of memory")
    return f"{', '.join(parts)}; external knowledge: {knowledge or 'none'}"
