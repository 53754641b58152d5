"""Frozen dataclasses as JSON and back: what a key is made of, what a record shows, what a worker is sent.

A described value is ``{"type": "module:Class", field: value, ...}``, nested as the dataclass is.
"""

from __future__ import annotations

import dataclasses
import importlib
from typing import Any

from pydantic import TypeAdapter, ValidationError

from benchmark.errors import BenchError, unknown


def describe(value: Any) -> Any:
    """``value`` as JSON: dataclasses as tagged objects, tuples as lists. Raises TypeError for anything else."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        body = {f.name: describe(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"type": f"{type(value).__module__}:{type(value).__qualname__}", **body}
    if isinstance(value, tuple | list):
        return [describe(v) for v in value]
    if isinstance(value, dict):
        return {str(k): describe(v) for k, v in value.items()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(
        f"{type(value).__name__} cannot be part of a configuration: use numbers, strings, tuples, dataclasses"
    )


def build(described: Any) -> Any:
    """The value that ``describe`` described."""
    if isinstance(described, dict) and "type" in described:
        module, _, name = described["type"].partition(":")
        cls = getattr(importlib.import_module(module), name)
        return cls(**{k: build(v) for k, v in described.items() if k != "type"})
    if isinstance(described, list):
        return tuple(build(v) for v in described)
    return described


def override(value: Any, changes: dict[str, Any], where: str) -> Any:
    """A copy of the dataclass ``value`` with ``changes`` applied, nested dictionaries reaching into nested dataclasses.

    ``where`` names the place in messages (``methods.rsm``). Raises BenchError for an unknown field (with the
    nearest one), a value of the wrong type, or one outside the range that the field declares.
    """
    fields = {f.name: f for f in dataclasses.fields(value)}
    new: dict[str, Any] = {}
    for name, change in changes.items():
        if name not in fields:
            raise unknown("key", name, fields, where=where)
        current = getattr(value, name)
        if dataclasses.is_dataclass(current) and isinstance(change, dict):
            new[name] = override(current, change, f"{where}.{name}")
        else:
            new[name] = _checked(type(value), name, change, f"{where}.{name}")
    return dataclasses.replace(value, **new)


def _checked(cls: type, name: str, change: Any, where: str) -> Any:
    import typing

    hint = typing.get_type_hints(cls, include_extras=True)[name]
    try:
        return TypeAdapter(hint).validate_python(change)
    except ValidationError as error:
        problem = error.errors()[0]["msg"]
        raise BenchError(f"bad value {change!r} for {where}: {problem}.") from None
