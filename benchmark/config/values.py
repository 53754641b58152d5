"""Frozen dataclasses as JSON and back, for keys, records and workers; and changing their fields by name.

A described value is ``{"type": "distribution:Class", field: value, ...}``, nested as the dataclass is; see
``ddbench.config.addresses`` for how the class is found again.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import typing
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, reduce
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError

from ddbench.config.addresses import Addresses, class_of, name_of
from ddbench.config.refusals import refused
from ddbench.errors import BenchError, nearest, unknown
from ddbench.hyperparameters import renamed
from ddbench.plugins import registry
from ddbench.plugins.silent import silent_hint


def describe(value: Any) -> Any:
    """``value`` as JSON: dataclasses as objects with a ``type``, tuples as lists. Raises TypeError for other types."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        body = {f.name: describe(getattr(value, f.name)) for f in dataclasses.fields(value) if f.init}
        return {"type": name_of(type(value)), **body}
    if isinstance(value, tuple | list):
        return [describe(v) for v in value]
    if isinstance(value, dict):
        return {str(k): describe(v) for k, v in value.items()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(
        f"{type(value).__name__} cannot be part of a configuration: use numbers, strings, tuples, dataclasses"
    )


def build(described: Any, addresses: Addresses) -> Any:
    """The value behind ``described``, the result of ``describe``. Raises ImportError."""
    if isinstance(described, dict) and "type" in described:
        cls = class_of(described["type"], addresses)
        return cls(**{k: build(v, addresses) for k, v in described.items() if k != "type"})
    if isinstance(described, list):
        return tuple(build(v, addresses) for v in described)
    return described


def plain(described: dict[str, Any]) -> dict[str, Any]:
    """A described value without the fields that a plan adds to it: the digests and the kind of stage."""
    return {k: v for k, v in described.items() if k not in {"code", "digest", "stage"}}


def override(value: Any, changes: dict[str, Any], where: str) -> Any:
    """A copy of the dataclass ``value`` with ``changes`` applied, nested dictionaries reaching into nested dataclasses.

    A key ``type`` in a nested dictionary replaces the nested dataclass by another one at its defaults, given by class
    name or registered name, before the other keys are applied; a string in place of the dictionary does the same.
    A nested field whose name is unique may be given by that name alone (``weight`` for ``objective.weight``).
    ``where`` is the prefix of names in messages (``methods.rsm``). Raises BenchError for an unknown field or type (with
    the nearest one), an ambiguous name, a value of the wrong type or outside the range of its field.
    """
    try:
        return _overridden(value, changes, where)
    except BenchError as error:
        # a short name's error is about its full place, but it is the short one that was written somewhere
        raise error.at(_as_written(error.place, value, changes, where)) if error.place else error from error.__cause__


def _overridden(value: Any, changes: dict[str, Any], where: str) -> Any:
    new: dict[str, Any] = {}
    hints = hints_of(type(value))
    for name, change in _in_full(value, changes, where).items():
        current, place = getattr(value, name), f"{where}.{name}"
        hint = hints[name]
        kinds = _dataclasses_of(hint)
        if isinstance(change, str) and kinds:
            change = {"type": change}
        if isinstance(change, dict) and kinds:
            if "type" in change:
                current = _part(str(change["type"]), kinds, place)
            elif current is None:
                raise BenchError(
                    f"{place} is none: say which it is to be with {place}.type, one of {', '.join(kinds)}."
                ).at(place)
            new[name] = override(current, {k: v for k, v in change.items() if k != "type"}, place)
        else:
            new[name] = _checked(hint, change, place, current)
    try:
        return dataclasses.replace(value, **new)
    except BenchError:
        raise
    except Exception as error:  # a __post_init__ refused the combination
        raise BenchError(f"bad options of {where}: {error}") from None


_resolved = cache(typing.get_type_hints)


def hints_of(cls: type) -> dict[str, Any]:
    """The annotations of a dataclass, resolved. Raises BenchError where a name in them cannot be found."""
    try:
        return _resolved(cls, include_extras=True)
    except NameError as error:
        raise BenchError(
            f"the fields of {cls.__module__}.{cls.__qualname__} cannot be read: {error}. Import the types of fields "
            "where the module runs, not under TYPE_CHECKING."
        ) from None


def fields_named(value: Any, name: str) -> list[tuple[str, ...]]:
    """The paths of what ``name`` may mean among the options of the dataclass ``value``: its field, else nested ones."""
    own = any(field.name == name for field in dataclasses.fields(value))
    return [(name,)] if own else list(_places(value, name))


def nested(place: Iterable[str], value: Any) -> Any:
    """Nested dictionaries with ``value`` at the path ``place``, for ``override``: a, b -> ``{"a": {"b": value}}``."""
    return reduce(lambda inner, part: {part: inner}, reversed(tuple(place)), value)


def _in_full(value: Any, changes: dict[str, Any], where: str) -> dict[str, Any]:
    """``changes`` with the short names of nested fields expanded."""
    changes = {str(name): change for name, change in changes.items()}  # YAML reads the keys 1 and on as no strings
    own = {f.name for f in dataclasses.fields(value) if f.init}
    chosen = {name: change for name, change in changes.items() if name in own and isinstance(change, str)}
    if chosen and len(chosen) < len(changes):  # short names may be fields of the class that is chosen here
        value = override(value, chosen, where)
    full = {name: dict(c) if isinstance(c, dict) else c for name, c in changes.items() if name in own}
    for name in [name for name in changes if name not in own]:
        inside = list(_places(value, name))
        if not inside:
            raise _unknown_key(value, name, own, where)
        if len(inside) > 1:
            places = ", ".join(".".join(place) for place in inside)
            raise BenchError(f"{where}.{name} may mean {places}: write one of them in full.").at(f"{where}.{name}")
        *parents, last = inside[0]
        node: Any = full
        for part in parents:
            if isinstance(node.get(part), str):
                node[part] = {"type": node[part]}
            node = node.setdefault(part, {})
        if not isinstance(node, dict) or last in node:
            full_name = ".".join(inside[0])
            problem = BenchError(
                f"{where}: {name} is {full_name}, which is set already. Give one of them; "
                f"{where}.{full_name} replaces it."
            )
            raise problem.at(f"{where}.{name}")
        node[last] = changes[name]
    return full


def _as_written(place: str, value: Any, changes: Mapping[Any, Any], where: str) -> str:
    """The key ``place`` with the short name among ``changes`` that it came by in place of the full one."""
    own = {field.name for field in dataclasses.fields(value)}
    for name in (str(name) for name in changes if str(name) not in own):
        for path in _places(value, name):
            full = ".".join((where, *path))
            if f"{place}.".startswith(f"{full}."):
                return f"{where}.{name}{place.removeprefix(full)}"
    return place


def _unknown_key(value: Any, name: str, own: set[str], where: str) -> BenchError:
    """The error for a key that ``value`` lacks; the nearest name may be that of a field further inside."""
    inner = {} if nearest(name, own) else {path[-1]: ".".join(path) for path in _paths(value)}
    close = nearest(name, inner)
    return unknown("key", name, own, where=where, close=inner[close] if close else None).at(f"{where}.{name}")


def _paths(value: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of all fields of ``value`` and of the dataclasses nested in it."""
    for f in dataclasses.fields(value):
        yield (*above, f.name)
        inner = getattr(value, f.name)
        if dataclasses.is_dataclass(inner):
            yield from _paths(inner, (*above, f.name))


def _places(value: Any, name: str, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of the fields called ``name`` in the dataclasses nested in ``value``."""
    for f in dataclasses.fields(value):
        inner = getattr(value, f.name)
        if dataclasses.is_dataclass(inner):
            if any(other.name == name for other in dataclasses.fields(inner)):
                yield (*above, f.name, name)
            yield from _places(inner, name, (*above, f.name))


def _dataclasses_of(hint: Any) -> dict[str, type]:
    """Name -> class, of the dataclasses in the annotation ``hint`` and their concrete subclasses."""
    classes: dict[str, type] = {}
    waiting = list(typing.get_args(hint)) if typing.get_origin(hint) else [hint]
    while waiting:
        cls = waiting.pop(0)
        if isinstance(cls, type) and dataclasses.is_dataclass(cls):
            waiting.extend(cls.__subclasses__())
            if not getattr(cls, "__abstractmethods__", None):
                # Of two classes with the same name the first counts; the other is reached by its registered name.
                classes.setdefault(cls.__name__, cls)
    return dict(sorted(classes.items()))


def _part(name: str, kinds: dict[str, type], where: str) -> Any:
    """The objective, guidance, ... called ``name`` at its defaults: of ``kinds``, or registered for one of their bases.

    No other registered class is imported, so that a broken plug-in fails only the studies that name it.
    """
    if name in kinds:
        return _at_defaults(kinds[name], where)
    known, hint = set(kinds), ""
    for base in dict.fromkeys(base for cls in kinds.values() for base in cls.__mro__):
        kind: registry.Kind | None = base.__dict__.get("registered_as")
        registered = registry.entries(kind) if kind else {}
        if entry := registered.get(name):
            cls = entry.load()
            if not (isinstance(cls, type) and issubclass(cls, base)):
                what = f"{entry.reference} from {entry.origin}"
                raise BenchError(f"the {kind} {name!r} ({what}) is no {base.__name__} class.")
            return _at_defaults(cls, where)
        known |= set(registered)
        hint = hint or (silent_hint(kind, name) if kind else "")
    raise unknown("type", name, known, where=where, hint=hint).at(f"{where}.type")


def _at_defaults(cls: type, where: str) -> Any:
    try:
        return cls()
    except TypeError as error:
        raise BenchError(f"{where}: {cls.__name__} has fields without defaults; give them some. ({error})") from None


def _checked(hint: Any, change: Any, where: str, current: Any) -> Any:
    """``change`` as the type ``hint``. Raises BenchError, with ``current`` as an example, when it is none."""
    numbers = [change] if not isinstance(change, list | tuple) else change
    if any(isinstance(n, float) and not math.isfinite(n) for n in numbers):
        raise BenchError(f"bad value {change!r} for {where}: it must be a finite number.").at(where)
    if hint is str and type(change) is int:  # the first digits of a SHA-256 may all be decimal
        change = str(change)
    try:
        value = TypeAdapter(hint).validate_python(change)
    except PydanticSchemaGenerationError:
        raise BenchError(f"{where} cannot be set from a configuration: its type is {hint}.").at(where) from None
    except ValidationError as error:
        problem = " or ".join(dict.fromkeys(map(refused, error.errors())))
        raise BenchError(
            f"bad value {change!r} for {where}: {problem}. {renamed(where, change) or _example(where, current)}".strip()
        ).at(where) from None
    if isinstance(change, bool) and not isinstance(value, bool):
        raise BenchError(f"bad value {change!r} for {where}: it must be a number, not true or false.").at(where)
    return value


def _example(where: str, current: Any) -> str:
    """``Example: methods.rsm.objective.weight=0.004``, the value that a bad one was to replace; or empty."""
    plain = isinstance(current, bool | int | float | str)
    text = json.dumps(list(current)) if isinstance(current, tuple) and current else json.dumps(current) if plain else ""
    key = where if re.fullmatch(r"[\w.-]+", where) else where.rpartition(".")[2]  # of a variant: rsm[weight=0.004]
    return f"Example: {key}={text}" if text else ""
