"""Everything that can be named in a study, as rows. Imports only the entries of others, to find broken ones."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout

from ddbench.plugins.registry import KINDS, entries, import_problem

LISTS = (*(f"{kind}s" for kind in KINDS), "configs")
"""the plural of each kind, and ``configs``"""


def listed(what: str) -> list[dict[str, str]]:
    """Name, summary, origin and reference of each member of one of ``LISTS``."""
    return _configs() if what == "configs" else _entries(what)


def _entries(what: str) -> list[dict[str, str]]:
    (kind,) = [kind for kind in KINDS if f"{kind}s" == what]
    rows = []
    for entry in entries(kind).values():
        with redirect_stdout(sys.stderr):  # plug-in modules may print
            broken = import_problem(entry)
        summary = f"BROKEN: {broken}" if broken else entry.summary()
        rows.append({"name": entry.name, "summary": summary, "origin": entry.origin, "reference": entry.reference})
    return rows


def _configs() -> list[dict[str, str]]:
    import yaml

    from ddbench.config.files import named_configs

    return [
        {
            "name": name,
            "summary": str(yaml.safe_load(path.read_text()).get("description", "")),
            "origin": "configs",
            "reference": path.name,
        }
        for name, path in named_configs().items()
    ]
