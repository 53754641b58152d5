"""Writing a new plug-in from the templates: the file, its test and its page."""

from __future__ import annotations

import importlib.util
import keyword
import re
import shlex
from importlib import resources
from pathlib import Path
from string import Template
from typing import Literal, get_args

from ddbench.errors import BenchError
from ddbench.plugins import registry
from ddbench.plugins.cards import SUFFIX

Kind = Literal["method", "objective", "guidance", "dataset", "network", "protocol", "watcher"]
KINDS: tuple[Kind, ...] = get_args(Kind)

METHODS: dict[Kind, str] = {
    "method": "$name",
    "objective": "dit[objective=$name]",
    "guidance": "dit[guidance=$name]",
    "dataset": "random",
    "network": "herding[network=$name]",
}
"""a method that uses the plug-in; no method uses a protocol or a watcher"""

UNCHECKED: tuple[Kind, ...] = ("protocol", "watcher")
"""kinds without distilled sets that could be checked: their tests run them"""

UNPUBLISHED: tuple[Kind, ...] = ("dataset", "watcher")
"""kinds without a fidelity card, since no paper publishes code for them"""

COMPARE: dict[Kind, str] = {
    "method": "--methods random,$name",
    "objective": "--methods 'dit,dit[objective=$name]'",
    "guidance": "--methods 'dit,dit[guidance=$name]'",
    "dataset": "--methods random --datasets $name",
    "network": "--methods random --archs $name",
    "protocol": "--methods random --protocol $name@1",
    "watcher": "--watcher $name --methods random",
}
"""options of a `bench run` that compares the plug-in with something built in"""


def write_plugin(kind: Kind, name: str, folder: Path) -> list[Path]:
    """Write the files of a new plug-in into ``folder``. Raises BenchError for a bad name and for existing files."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise BenchError(f"{name!r} cannot name a {kind}: use small letters, digits and underscores, a letter first.")
    registered = registry.entries("arch" if kind == "network" else kind)
    if there := registered.get(name) or registered.get(f"{name}@1"):
        raise BenchError(f"there is a {kind} {name!r} already, from {there.origin}. Choose another name.")
    if importlib.util.find_spec(name) is not None and not (folder / f"{name}.py").exists():
        raise BenchError(f"there is a Python module {name!r} already, which {name}.py would hide. Choose another name.")
    check, command = usage(kind, name)
    words = {
        "name": name,
        "cls": "".join(part.capitalize() for part in name.split("_")),
        "kind": kind,
        "method": used_by(kind, name),
        "command": command,
        "check": check,
    }
    templates = {
        f"{name}.py": f"{kind}.txt",
        f"test_{name}.py": f"test_{_tested(kind)}.txt",
        f"{name}.md": f"{_page(kind)}.txt",
    }
    if kind not in UNPUBLISHED:
        templates[f"{name}{SUFFIX}"] = "card.txt"
    existing = [folder / file for file in templates if (folder / file).exists()]
    if existing:
        raise BenchError(f"{existing[0]} exists already. Choose another name, or another folder with --out.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, template in templates.items():
            text = (resources.files("ddbench.plugins.scaffold") / template).read_text(encoding="utf-8")
            (folder / file).write_text(Template(text).substitute(words), encoding="utf-8")
    except OSError as error:
        raise BenchError(f"cannot write into {folder}: {error.strerror}. Name another folder with --out.") from None
    return [folder / file for file in templates]


def usage(kind: Kind, name: str) -> tuple[str, str]:
    """A command that checks the plug-in, and one that runs it."""
    checked = name if kind == "dataset" else used_by(kind, name)
    check = f"bench check --plugin {name}.py {shlex.quote(checked)}"
    if kind in UNCHECKED:
        check = f"python -m pytest test_{name}.py"
    return check, f"bench run --plugin {name}.py {Template(COMPARE[kind]).substitute(name=name)} --ipc 1"


def used_by(kind: Kind, name: str) -> str:
    """The name of a method that uses the plug-in; empty for a protocol or a watcher."""
    return Template(METHODS.get(kind, "")).substitute(name=name)


def _tested(kind: Kind) -> str:
    """The kind of test: objectives and guidances are tested as part of a method, the other kinds directly."""
    return "method" if kind in {"objective", "guidance"} else kind


def _page(kind: Kind) -> str:
    return f"page_{kind}" if kind in UNCHECKED else "page"
