"""``bench info``: what a method, or anything else that can be named, is and which options it has."""

from __future__ import annotations

import json
from typing import Any, get_args

import click

from benchmark.errors import BenchError, unknown
from benchmark.registry import Entry, Kind


@click.command()
@click.argument("name")
@click.option("--plugin", "plugins", multiple=True, metavar="FILE", help="A Python file that registers more.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def info(name: str, plugins: tuple[str, ...], as_json: bool) -> None:
    """Describe the method, dataset, arch, protocol, objective or guidance NAME: where it is from, and its options.

    Options are set with --set methods.NAME.OPTION=VALUE, or as a row of their own with 'NAME[OPTION=VALUE]'.
    """
    from benchmark.plugins import absolute, load_plugins

    load_plugins(absolute(plugins))
    found = [_about(kind, entry) for kind in get_args(Kind) if (entry := _entries(kind).get(name))]
    if not found:
        known = {known for kind in get_args(Kind) for known in _entries(kind)}
        raise unknown("name", name, known, hint="`bench list methods` and the like show them.")
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    for about in found:
        _print(about)


def _entries(kind: Kind) -> dict[str, Entry]:
    from benchmark.registry import entries

    return entries(kind)


def _about(kind: Kind, entry: Entry) -> dict[str, Any]:
    import dataclasses
    import inspect

    from benchmark.fields import describe_fields

    value = entry.load()
    if inspect.isclass(value):
        try:
            value = value()
        except TypeError:
            raise BenchError(f"the {kind} {entry.name!r} has options without defaults; give them some.") from None
    stages = [p.stage for p in value.preparations(0)] + ["distill"] if kind == "method" else []
    fields = [dataclasses.asdict(field) for field in describe_fields(value)] if dataclasses.is_dataclass(value) else []
    return {
        "kind": kind,
        "name": entry.name,
        "summary": entry.summary(),
        "text": inspect.getdoc(type(value)) or "",
        "module": inspect.getdoc(inspect.getmodule(type(value))) or "",
        "origin": entry.origin,
        "reference": entry.reference,
        "stages": stages,
        "family": getattr(value, "family", ""),
        "needs": dataclasses.asdict(value.needs()) if kind == "method" else {},
        "options": fields,
    }


def _print(about: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    console.print(f"[bold]{escape(about['name'])}[/bold]  {about['kind']}: {escape(about['summary'])}")
    console.print(f"from {escape(about['origin'])}, {escape(about['reference'])}\n", soft_wrap=True)
    for text in dict.fromkeys((about["text"], about["module"])):
        console.print(f"{escape(text)}\n")
    if about["stages"]:
        family = f"; options of the family: methods.{about['family']}.OPTION" if about["family"] else ""
        console.print(f"stages: {' -> '.join(about['stages'])}{escape(family)}\n")
    if about["needs"]:
        console.print(f"needs: {escape(_needs(**about['needs']))}\n")
    if not about["options"]:
        console.print("no options")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("option", "type", "default", "what it is"):
        table.add_column(column, header_style="bold", overflow="fold")
    for option in about["options"]:
        table.add_row(*(escape(option[key]) for key in ("name", "type", "value", "text")))
    console.print(table)


def _needs(
    inputs: str, ipc: tuple[int, int | None], channels: tuple[int, ...], gpu: bool, memory_gib: float, knowledge: str
) -> str:
    """A method's needs as a sentence."""
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
