"""Reading YAML: duplicate keys are refused, and the line of every key and item is kept for messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from ddbench.errors import BenchError

Lines = dict[tuple[str, ...], int]
"""path of a key, or of an item of a list -> the line that it stands on, counted from 1"""


def read_yaml(text: str, where: str) -> tuple[Any, Lines]:
    """The value of a YAML document and the lines of its keys; ``where`` names it in messages.

    YAML keeps the last of two equal keys without a word, so that options written under the first are lost. Raises
    BenchError for a key given twice in one mapping, with both lines, and for an anchor that holds itself;
    yaml.YAMLError for what is no YAML.
    """
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None, {}
        lines = dict(_keys(node, where, (), ()))
        return loader.construct_document(node), lines
    finally:
        loader.dispose()


def _keys(
    node: yaml.Node, where: str, path: tuple[str, ...], above: tuple[yaml.Node, ...]
) -> Iterator[tuple[tuple[str, ...], int]]:
    if any(node is other for other in above):
        raise BenchError(f"{where}: the anchor in line {_line(node)} holds itself. Write it out.")
    if isinstance(node, yaml.SequenceNode):
        for number, inner in enumerate(node.value):
            yield (*path, str(number)), _line(inner)
            yield from _keys(inner, where, (*path, str(number)), (*above, node))
    if not isinstance(node, yaml.MappingNode):
        return
    _check_once(node, where, path)
    for key, inner in node.value:
        merged = key.tag == "tag:yaml.org,2002:merge"
        parts = inner.value if merged and isinstance(inner, yaml.SequenceNode) else [inner]
        here = path if merged else (*path, str(key.value))
        for part in parts:
            yield from _keys(part, where, here, (*above, node))
    for key, _ in node.value:  # last, as a key of the mapping itself replaces a merged one
        yield (*path, str(key.value)), _line(key)


def _check_once(node: yaml.MappingNode, where: str, path: tuple[str, ...]) -> None:
    first: dict[tuple[str, str], yaml.Node] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        before = first.setdefault((key.tag, key.value), key)
        if before is not key:
            dotted = ".".join((*path, str(key.value)))
            lines = sorted({_line(before), _line(key)})
            place = f", in lines {lines[0]} and {lines[1]}" if len(lines) > 1 else ""
            raise BenchError(f"{where}: the key {dotted} is given twice{place}. Merge them, or remove one.")


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
