"""The records behind each number: in full as JSON, and their essentials as text for readers without scripts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import yaml

from ddbench.results.report.tables import ReportPosition, duration
from ddbench.results.tables.text import percent
from ddbench.types import Cell, Record

REFERENCE = "$ref"
REPEATED = ("before", "state", "chain", "parents", "networks", "code", "digest", "fingerprint", "format", "stage")
"""keys of a task that repeat another stage or are digests: left out of the text, kept in the data"""


@dataclass(frozen=True)
class Attempt:
    """A cell of a position as a line of text."""

    seed: str
    eval_seed: int
    outcome: str
    last: str
    best: str
    seconds: str
    started: str
    key: str
    reason: str


@dataclass(frozen=True)
class Origin:
    """All that is known of a position, as text."""

    entry: ReportPosition
    attempts: tuple[Attempt, ...]
    commits: tuple[str, ...]
    software: str
    hardware: str
    configuration: str
    """YAML"""


def origin(entry: ReportPosition) -> Origin:
    """The essentials of a position; its configuration is that of the first record that succeeded."""
    records = [record for _, record in entry.members if record is not None]
    best = sorted(records, key=lambda record: record.outcome != "ok")
    made = [record.run.get("provenance") or {} for record in best[:1]]
    packages = made[0].get("packages", {}) if made else {}
    software = [f"Python {made[0]['python']}"] if made and "python" in made[0] else []
    software += [f"{name} {version}" for name, version in packages.items()]
    software += [_plugin(plugin) for plugin in made[0].get("plugins", ())] if made else []
    hardware = [str(made[0][key]) for key in ("processor", "platform") if made[0].get(key)] if made else []
    return Origin(
        entry=entry,
        attempts=tuple(_attempt(cell, record) for cell, record in entry.members),
        commits=tuple(dict.fromkeys(commit(record) for record in records)),
        software=", ".join(software),
        hardware=", ".join(hardware),
        configuration=_text(best[0].config) if best else "",
    )


def _plugin(plugin: dict[str, Any]) -> str:
    name = " ".join(filter(None, (plugin["name"], plugin["version"])))
    return f"plug-in {name} (sha256 {plugin['sha256'][:12] or 'unknown'})"


def commit(record: Record) -> str:
    """The commit that a record was made at, as text; says when the code had changes on top."""
    git = (record.run.get("provenance") or {}).get("git")
    if not git:
        return "no commit (not run from a checkout)"
    return str(git.get("commit", ""))[:12] + (" with uncommitted changes" if git.get("dirty") else "")


def data(entries: Sequence[ReportPosition]) -> dict[str, Any]:
    """Every record as JSON. An object that several records share is in ``parts`` once; ``{"$ref": i}`` refers to it."""
    parts: dict[str, int] = {}
    records = {}
    for entry in entries:
        for _, record in entry.members:
            if record is not None:
                content = {k: v for k, v in asdict(record).items() if k not in {"key", "correct"}}
                content["curve"] = [[epoch, round(accuracy, 6)] for epoch, accuracy in record.curve]
                records[record.key] = _shared({**content, "position": entry.anchor}, parts, top=True)
    return {"records": records, "parts": [json.loads(text) for text in parts]}


def _shared(value: Any, parts: dict[str, int], top: bool = False) -> Any:
    """``value`` with every object in it that says its type, stage or versions put into ``parts``."""
    if isinstance(value, dict):
        inner = {str(k): _shared(v, parts) for k, v in value.items()}
        if not top and len(inner) > 1 and inner.keys() & {"type", "stage", "packages", "commit"}:
            return {REFERENCE: parts.setdefault(json.dumps(inner), len(parts))}
        return inner
    if isinstance(value, list | tuple):
        return [_shared(v, parts) for v in value]
    return value


def _attempt(cell: Cell, record: Record | None) -> Attempt:
    good = record is not None and record.outcome == "ok"
    seconds = record.run.get("seconds", {}) if record else {}
    return Attempt(
        seed=str(cell.seed) if cell.ipc else "–",
        eval_seed=cell.eval_seed,
        outcome=record.outcome.replace("_", " ") if record else "not run",
        last=percent(record.last if record and good else None),
        best=percent(record.best if record and good else None),
        seconds=", ".join(f"{kind} {duration(value)}" for kind, value in seconds.items()),
        started=str(record.run.get("started", ""))[:19].replace("T", " ") if record else "",
        key=record.key if record else "",
        reason=record.reason if record else "",
    )


def _text(config: dict[str, Any]) -> str:
    """The configuration of a record as YAML, without the keys in ``REPEATED``."""
    return str(yaml.safe_dump(_brief(config), sort_keys=False, width=100, allow_unicode=True))


def _brief(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _brief(v) for k, v in value.items() if k not in REPEATED}
    if isinstance(value, list | tuple):
        return [_brief(v) for v in value]
    return value
