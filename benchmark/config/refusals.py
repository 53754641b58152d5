"""What pydantic refuses, in the words of a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WANTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping of keys to values",
    "mapping_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "dataclass_type": "a mapping of keys to values",
    "none_required": "null",
    "finite_number": "a finite number",
}
"""type of pydantic's error -> what is wanted in place of the value"""

BOUNDS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}
"""type of pydantic's error -> words for the bound, and where it stands"""


def refused(problem: Mapping[str, Any]) -> str:
    """``it must be a number``: one of pydantic's ``ValidationError.errors()`` without the names of its types."""
    kind, context = problem["type"], problem.get("ctx", {})
    if kind in BOUNDS:
        words, bound = BOUNDS[kind]
        return f"it must be {words} {context[bound]:g}"
    if kind == "literal_error":
        return f"it must be {context['expected']}"
    if kind == "string_pattern_mismatch":
        return "it must be letters, digits and . _ - with a letter or digit first"
    if kind in ("missing", "missing_argument", "too_short", "too_long"):
        return "it must be a list of another length"
    if kind in WANTED:
        return f"it must be {WANTED[kind]}"
    return str(problem["msg"]).removeprefix("Value error, ")
