"""Filling the templates: a plug-in file, its test and its page."""

from __future__ import annotations

import keyword
import re
from importlib import resources
from pathlib import Path
from string import Template
from typing import Literal, get_args

from benchmark.errors import BenchError

Kind = Literal["method", "objective", "guidance", "dataset", "network"]
KINDS: tuple[Kind, ...] = get_args(Kind)

USE: dict[Kind, tuple[str, str]] = {
    "method": ("$name", "bench run --plugin $name.py --methods random,$name --ipc 1"),
    "objective": ("dit[objective=$name]", "bench run --plugin $name.py --methods 'dit,dit[objective=$name]' --ipc 1"),
    "guidance": ("dit[guidance=$name]", "bench run --plugin $name.py --methods 'dit,dit[guidance=$name]' --ipc 1"),
    "dataset": ("random", "bench run --plugin $name.py --datasets $name --methods random --ipc 1"),
    "network": ("random", "bench run --plugin $name.py --archs $name --methods random --ipc 1"),
}
"""kind -> (a method that uses it, a command that compares it)"""


def write_plugin(kind: Kind, name: str, folder: Path) -> list[Path]:
    """The files of a new plug-in in ``folder``. Raises BenchError for a bad name and for files that are there."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise BenchError(f"{name!r} cannot name a {kind}: use small letters, digits and underscores, a letter first.")
    method, command = usage(kind, name)
    words = {
        "name": name,
        "cls": "".join(part.capitalize() for part in name.split("_")),
        "kind": kind,
        "method": method,
        "command": command,
        "check": f"bench check --plugin {name}.py '{method}'",
    }
    templates = {f"{name}.py": f"{kind}.txt", f"test_{name}.py": f"test_{_tested(kind)}.txt", f"{name}.md": "page.txt"}
    there = [folder / file for file in templates if (folder / file).exists()]
    if there:
        raise BenchError(f"{there[0]} exists already. Choose another name, or another folder with --out.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, template in templates.items():
            text = (resources.files("benchmark.scaffold") / template).read_text(encoding="utf-8")
            (folder / file).write_text(Template(text).substitute(words), encoding="utf-8")
    except OSError as error:
        raise BenchError(f"cannot write into {folder}: {error.strerror}. Name another folder with --out.") from None
    return [folder / file for file in templates]


def usage(kind: Kind, name: str) -> tuple[str, str]:
    """A method that uses the plug-in, and a command that compares it."""
    method, command = (Template(text).substitute(name=name) for text in USE[kind])
    return method, command


def _tested(kind: Kind) -> str:
    """A dataset or network is tested for itself, the others as the method that they make."""
    return kind if kind in {"dataset", "network"} else "method"
