"""Names of classes in keys, and where the classes are imported from.

Keys name a class ``distribution:Class``, so that a file that moves within its distribution changes no key; one whose
class attribute ``version`` is above 1 is ``distribution:Class@version``. The address ``module:Class``, which imports
the class, is stored beside the key, in the stage and in the record.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any

from ddbench.errors import BenchError
from ddbench.plugins.registry import PACKAGE, distribution_of, import_plugin
from ddbench.plugins.source import module_defining

Addresses = Mapping[str, str]
"""name in keys -> ``module:Class``"""

ROOTS = (PACKAGE, *(f"{PACKAGE}.{room}" for room in ("methods", "evaluators", "results")))
"""the packages of the harness, each in a top-level folder of the repository"""
FORMER = {"benchmark", "methods", "evaluators", "results"}
"""top-level packages of releases before 0.2, whose records hold addresses in place of names"""


def name_of(cls: type) -> str:
    """What a class is called in keys: its distribution (of a plug-in file, the file's name), its own name and, above
    1, its version."""
    version = version_of(cls)
    return f"{distribution_of(cls.__module__)}:{cls.__qualname__}{f'@{version}' if version > 1 else ''}"


def version_of(cls: type) -> int:
    """The class attribute ``version`` of a part; 1 where there is none, or where it is one of its options."""
    options = {f.name for f in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else set()
    version = getattr(cls, "version", 1)
    return version if isinstance(version, int) and "version" not in options else 1


def addresses_of(*values: Any) -> dict[str, str]:
    """The addresses of the dataclasses in ``values``, at any depth.

    Raises BenchError when two classes have the same name, which a record could not tell apart.
    """
    addresses: dict[str, str] = {}
    for cls in classes_in(values):
        address = f"{cls.__module__}:{cls.__qualname__}"
        other = addresses.setdefault(name_of(cls), address)
        if other != address:
            raise BenchError(
                f"two classes are called {name_of(cls)} in keys and records: {other} and {address}. Rename one of them."
            )
    return addresses


def named_in(described: Any) -> set[str]:
    """The class names in a described value (the result of ``values.describe``), at any depth."""
    if isinstance(described, dict):
        own = {described["type"]} if isinstance(described.get("type"), str) else set()
        return own.union(*map(named_in, described.values()))
    if isinstance(described, list):
        return set().union(*map(named_in, described))
    return set()


def class_of(name: str, addresses: Addresses) -> type:
    """The class called ``name`` in keys. If it is no longer at its address, its package is searched for it.

    Raises ImportError when it is not found.
    """
    module, _, qualname = addresses.get(name, name).partition("@")[0].partition(":")
    package = module.partition(".")[0]
    try:
        return _attribute(import_plugin(module), qualname)
    except (ImportError, AttributeError) as error:
        packages = ROOTS if package in {PACKAGE, *FORMER} else (package,)
        elsewhere = module_defining(packages, qualname)
        if elsewhere is None or elsewhere == module:
            raise ImportError(f"the class {name} ({module}) cannot be imported: {error}") from error
    return _attribute(import_plugin(elsewhere), qualname)


def _attribute(module: Any, qualname: str) -> type:
    cls: type = reduce(getattr, qualname.split("."), module)
    return cls


def classes_in(value: Any) -> Iterator[type]:
    """The classes of the dataclasses in ``value``, at any depth."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield type(value)
        for f in dataclasses.fields(value):
            if f.init:
                yield from classes_in(getattr(value, f.name))
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from classes_in(inner)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from classes_in(inner)
