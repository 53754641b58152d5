"""The documentation of a dataclass: for each field its type, default and the string below it in the source."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ddbench.config.values import hints_of
from ddbench.plugins.source import parse
from ddbench.wording import first_sentence


@dataclass(frozen=True)
class FieldInfo:
    """A field of a dataclass; ``name`` is dotted for a field of a nested dataclass."""

    name: str
    type: str
    value: str
    text: str


def describe_fields(value: Any, prefix: str = "") -> Iterator[FieldInfo]:
    """The fields of a dataclass instance, each nested dataclass followed by its own fields."""
    hints, texts = hints_of(type(value)), field_texts(type(value))
    for f in dataclasses.fields(value):
        current, text = getattr(value, f.name), texts.get(f.name, "")
        if dataclasses.is_dataclass(current):
            yield FieldInfo(prefix + f.name, type(current).__name__, "", text or _summary(type(current)))
            yield from describe_fields(current, f"{prefix}{f.name}.")
        else:
            yield FieldInfo(prefix + f.name, _type_text(hints[f.name]), str(current), text)


def places_of(value: Any, mark: type, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of the fields, nested ones too, whose annotation holds an instance of ``mark``."""
    for name, hint in hints_of(type(value)).items():
        inner = getattr(value, name, None)
        if any(isinstance(note, mark) for note in getattr(hint, "__metadata__", ())):
            yield (*above, name)
        if dataclasses.is_dataclass(inner):
            yield from places_of(inner, mark, (*above, name))


def field_texts(cls: type) -> dict[str, str]:
    """Field -> the string below it in the source of ``cls`` or a base, joined to one line."""
    texts: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        source = parse(base.__module__) if base is not object else None
        for node in ast.walk(source) if source else ():
            if isinstance(node, ast.ClassDef) and node.name == base.__name__:
                texts.update(_texts(node))
    return texts


def _texts(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for statement, following in zip(node.body, node.body[1:], strict=False):
        named = isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
        has_text = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
        if named and has_text:
            yield statement.target.id, " ".join(str(following.value.value).split()).replace("``", "`")  # type: ignore[attr-defined]


def _summary(cls: type) -> str:
    return first_sentence(inspect.getdoc(cls) or "")


def _type_text(hint: Any) -> str:
    """An annotation as readable text: ranges as inequalities, literals separated by |."""
    if typing.get_origin(hint) is typing.Annotated:
        base, *constraints = typing.get_args(hint)
        bounds = [
            f"{sign} {getattr(c, name)}"
            for c in constraints
            for name, sign in (("gt", ">"), ("ge", ">="), ("lt", "<"), ("le", "<="))
            if getattr(c, name, None) is not None
        ]
        return " ".join([_type_text(base), ", ".join(bounds)])
    if typing.get_origin(hint) is typing.Literal:
        return " | ".join(map(str, typing.get_args(hint)))
    if typing.get_origin(hint) is tuple:
        return f"({', '.join('...' if part is ... else _type_text(part) for part in typing.get_args(hint))})"
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return " | ".join(map(_type_text, typing.get_args(hint)))
    if hint is type(None):
        return "none"
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint).replace("typing.", "")
