"""``bench show``: prints everything about one cell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from ddbench.cli.completion import cells
from ddbench.cli.options import store_option

REPEATED = ("stage", "format", "parents", "chain", "state", "before", "cell", "label")
"""keys of a task that are not printed, since they stand elsewhere in the text; --json has them"""
WIDTH = 10
SIZES = {"pixels": "pixels", "png": "as PNG files", "soft_labels": "soft labels", "teacher": "teacher"}


@click.command("show")
@click.argument("cell", metavar="CELL_OR_KEY", shell_complete=cells)
@store_option
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout: the whole record, and more.")
def show_cell(cell: str, store: Path | str, as_json: bool) -> None:
    """Show everything about one number: configuration, seeds, versions, commit, hardware, timings, log and images.

    CELL_OR_KEY is a cell as `bench status` writes it, DATASET/METHOD/ipcN/seedN/ARCH/evalN, or how its key begins.
    """
    from ddbench.api.cell import about_cell

    document = about_cell(store, cell)
    click.echo(json.dumps(document, indent=1) if as_json else "\n".join(lines(document)))


def lines(document: dict[str, Any]) -> Iterator[str]:
    """``about_cell`` as text."""
    record, cell = document["record"] or {}, document["cell"]
    run, config = record.get("run", {}), record.get("config", {})
    yield document["name"]
    yield _line("key", document["key"])
    yield _line("split", cell["split"])
    yield _line("protocol", cell["protocol"])
    yield _line("outcome", document["outcome"] + (f": {record['reason']}" if record.get("reason") else ""))
    if accuracy := document["accuracy"]:
        yield _line("top-1", _top1(accuracy))
    if teacher := document["teacher"]:
        yield _line("teacher", _teacher(teacher))
    if copies := run.get("copies"):
        yield _line("copies", _copies(copies))
    yield _line("attempts", f"{len(document['attempts'])} on record")
    yield _line("asked by", ", ".join(document["asked_by"]) or "an earlier run alone")
    if run:
        yield _line("ran", f"{run.get('started', '?')} to {run.get('finished', '?')}")
        yield from _machine(run, config)
    yield from (_line("memory", told) for told in _out_of_memory(run.get("out_of_memory")))
    yield from (_line("card", card) for card in document["cards"])
    for stage in document["stages"]:
        yield _line(stage["stage"], _stage(stage))
        yield from (_line("", f"changed, and put back: {change}") for change in stage["changed_state"])
    yield _line("log", document["log"] or "not kept here")
    if sizes := document["bytes"]:
        yield _line("bytes", ", ".join(f"{SIZES[name]} {size:,}" for name, size in sizes.items()))
    for name, path in document["images"].items():
        yield _line(name, path or "not kept here")
    for kind, task in config.items():
        yield f"\n{kind}:"
        yield from _yaml({name: value for name, value in task.items() if name not in REPEATED})


def _line(name: str, text: str) -> str:
    return f"{name:{WIDTH}} {text}"


def _top1(accuracy: dict[str, Any]) -> str:
    right = f", {accuracy['right']} of {accuracy['images']} images right" if accuracy["right"] is not None else ""
    return (
        f"{100 * accuracy['last']:.1f} % at the last epoch ({accuracy['last_epoch']}){right}; best "
        f"{100 * accuracy['best']:.1f} % at epoch {accuracy['best_epoch']}"
    )


def _teacher(found: dict[str, Any]) -> str:
    places = {"top1": "on the judged images", "train_top1": "on its own train images, augmented"}
    told = [f"{100 * found[name]:.1f} % {place}" for name, place in places.items() if found[name] is not None]
    return f"top-1 {', '.join(told)}" if told else "accuracy not measured"


def _copies(found: dict[str, int]) -> str:
    return (
        f"of {found['images']} images {found['equal']} equal a judged image, {found['near']} nearly; "
        f"{found['in_both']} are in both splits; {found['repeated']} repeat another of the set"
    )


def _machine(run: dict[str, Any], config: dict[str, Any]) -> Iterator[str]:
    provenance = run.get("provenance", {})
    task = config.get("evaluate", {})
    yield _line("commit", _commit(provenance.get("git")))
    packages = ", ".join(f"{name} {version}" for name, version in provenance.get("packages", {}).items())
    yield _line("versions", f"python {provenance.get('python', '?')}, {packages}")
    yield from (_line("plug-in", _plugin(plugin)) for plugin in provenance.get("plugins", ()))
    hardware = (
        f"{provenance.get('processor', '?')}, {provenance.get('cores', '?')} cores, {provenance.get('platform', '?')}"
    )
    place = f", host {run['host']}" if run.get("host") else ""
    yield _line("machine", f"{hardware}{place}; device {task.get('device', '?')}, {task.get('threads', '?')} threads")


def _plugin(plugin: dict[str, Any]) -> str:
    """A plug-in of a record's provenance: name, version, path and how its digest begins."""
    name = " ".join(filter(None, (plugin["name"], plugin["version"])))
    digest = f"sha256 {plugin['sha256'][:12]}" if plugin["sha256"] else "no file"
    return f"{name} ({plugin['path']}, {digest})"


def _commit(git: dict[str, Any] | None) -> str:
    if not git:
        return "unknown: not run from a git checkout"
    return git["commit"][:12] + (" with uncommitted changes" if git["dirty"] else "")


def _stage(stage: dict[str, Any]) -> str:
    parts = [f"{stage['seconds']:.3g} s"]
    if "together" in stage:  # the time is divided among them, and memory cannot be
        parts[0] += f" of the {stage.get('wall_seconds', 0):.3g} s of {stage['together']} stages together"
    parts += [f"{stage['peak_memory_mib']} MiB"] if stage["peak_memory_mib"] is not None else []
    parts += [f"{stage['peak_gpu_mib']} MiB of the GPU"] if stage["peak_gpu_mib"] is not None else []
    hardware = stage["hardware"] or {}
    parts += [" and ".join(hardware[option]) for option in ("precision", "compile") if _said(hardware.get(option))]
    parts += [f"host {stage['host']}"] if stage["host"] else []
    parts += [f"commit {_commit(stage['git'])}"] if stage["git"] else []
    # Values by timestep, such as denoising/t0-99, are left to --json.
    parts += [f"{name} {value:.4g}" for name, value in stage["logged"].items() if "/" not in name]
    return ", ".join([*parts, f"key {stage['key']}"] if stage["key"] else parts)


def _out_of_memory(told: Any) -> Iterator[str]:
    """When stages ran out of memory: those behind a number by kind, of a failed cell the tries of one stage."""
    by_kind = told if isinstance(told, dict) else {"a stage": told or []}
    for kind, tries in by_kind.items():
        for one in tries:
            halves = ", ".join(f"{name} {before} -> {after}" for name, (before, after) in one["halved"].items())
            peak = one.get("peak_gpu_mib", one.get("peak_memory_mib", "?"))
            yield f"{kind} ran out of it at {peak} MiB" + (f"; tried once more with {halves}" if halves else "")


def _said(values: list[str] | None) -> bool:
    """Whether a stage was computed in another way than by default."""
    return bool(values) and not {"fp32", "none"}.issuperset(values or ())


def _yaml(value: dict[str, Any]) -> Iterator[str]:
    import yaml

    written = yaml.safe_dump(value, sort_keys=False, default_flow_style=None, allow_unicode=True, width=110)
    yield from (f"  {line}" for line in written.rstrip().splitlines())
