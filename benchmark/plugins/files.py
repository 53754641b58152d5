"""Plug-in files: ``--plugin my_method.py`` imports the file, which registers its parts with ``register``."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Iterable
from importlib.machinery import ModuleSpec
from pathlib import Path

from ddbench.errors import BenchError
from ddbench.isolation.around import importing
from ddbench.plugins import registry
from ddbench.plugins.loaded import file_digest, note
from ddbench.plugins.silent import note_silent

_imported: dict[Path, str] = {}
"""plug-in file -> digest of its content when this process imported it"""


def load_plugins(paths: Iterable[str]) -> None:
    """Import each file once in this process, as a top-level module of the file's name.

    Keys hold that module name and not the folder of the file. Raises BenchError for a file that is missing, raises, has
    the name of an existing module, replaces a part of the harness, or has changed since this process imported it, since
    then the keys would not be those of the code that runs.
    """
    for path in paths:
        _load(Path(path))


def absolute(paths: Iterable[str]) -> list[str]:
    """Absolute paths of the files. Raises BenchError for one that does not exist."""
    files = []
    for text in paths:
        path = Path(text).expanduser().absolute()
        if not path.is_file():
            raise BenchError(f"there is no plug-in file {path}. --plugin takes the path of a Python file.")
        files.append(str(path))
    return files


def _load(path: Path) -> None:
    name = path.stem
    if path.suffix != ".py" or not name.isidentifier():
        raise BenchError(f"the plug-in {path} must be a file NAME.py, NAME being a name that Python can import.")
    if name in sys.modules and _is(sys.modules[name].__spec__, path):
        if _imported.get(path.resolve(), digest := file_digest(path)) != digest:
            raise BenchError(
                f"the plug-in {path} has changed since it was imported: start Python, or the kernel, anew."
            )
        return
    known = sys.modules[name].__spec__ if name in sys.modules else importlib.util.find_spec(name)
    if name in sys.modules or (known is not None and not _is(known, path)):
        raise BenchError(f"the plug-in {path} is called as the module {name}, which exists already. Rename the file.")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    _imported[path.resolve()] = file_digest(path)
    registry.forget(str(path))
    before = registry.decorated()
    try:
        with importing(f"the plug-in {path}", name) as changed:
            spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        registry.forget(str(path))
        if isinstance(error, BenchError) or not isinstance(error, Exception | SystemExit):
            raise
        raise BenchError(
            f"the plug-in {path} cannot be imported: {type(error).__name__}: {error}{_place(error, path)}."
        ) from None
    if registry.decorated() <= before:
        note_silent(str(path))
    note(name, path.name, "", path, changed)


def _place(error: BaseException, path: Path) -> str:
    """The last line of the plug-in in the traceback, as text; empty for a SyntaxError, whose message has the line."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f" ({path.name}, line {lines[-1]})" if lines else ""


def _is(spec: ModuleSpec | None, path: Path) -> bool:
    """Whether a module is the file ``path``; it may be importable by name as well, from a test beside it."""
    return spec is not None and spec.origin is not None and Path(spec.origin).resolve() == path.resolve()
