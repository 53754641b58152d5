"""What pydantic refuses, and what PyYAML cannot read, in the words of a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

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

SLIPS = {
    "\\t": "Indent with spaces: YAML allows no tab there.",
    "mapping values are not allowed": "Does a line above lack its colon, or its quotes around a text with a colon?",
    "could not find expected ':'": "A key is written KEY: VALUE.",
    "expected ',' or ']'": "Close the list with ].",
    "expected ',' or '}'": "Close the mapping with }.",
    "expected <block end>": "Keys of one mapping begin in the same column.",
    "quoted scalar": "Close the quotes.",
    "undefined alias": "An alias *NAME needs an anchor &NAME before it.",
    "constructor": "A tag in ! is not read here: write plain values.",
}
"""a part of PyYAML's message -> what to do"""


def refused(problem: Mapping[str, Any]) -> str:
    """``it must be a number``: an error of pydantic (of ``ValidationError.errors()``) without the names of its types."""
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


def unreadable(error: Exception, text: str) -> str:
    """Line, text and cause of what stopped PyYAML, or the message of another error, on one line."""
    mark = getattr(error, "problem_mark", None)
    if not isinstance(error, yaml.MarkedYAMLError) or mark is None:
        return f": {' '.join(str(error).split())}."
    lines = text.splitlines()
    line = lines[mark.line].strip() if mark.line < len(lines) else "the end of the file"
    said = " ".join(filter(None, (error.context, error.problem)))
    whole = f"{said} {type(error).__name__.lower()}"
    hint = next((f" {todo}" for part, todo in SLIPS.items() if part in whole), "")
    return f", line {mark.line + 1}, column {mark.column + 1} ({line!r}): {said}.{hint}"
