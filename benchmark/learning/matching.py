"""Which weight of a file is which of a network, where other code built the same network under other names."""

from __future__ import annotations

from collections.abc import Mapping

from ddbench.weights import Shapes


def names_in_file(found: Shapes, expected: Shapes, ordered: bool) -> Mapping[str, str]:
    """Name in the network -> name in the file, of all weights; empty where they cannot be told.

    Equal names are the same weight, also where all of the network's begin with one more module (``net.conv1.weight``).
    Else, with ``ordered``, where the file keeps the order in which its network was built: layers of one kind
    (convolutions, norms, linear ones) are matched in their order, if all shapes agree.
    """
    if expected.keys() == found.keys():
        return {name: name for name in expected}
    outer = {name.partition(".")[0] for name in expected}
    inner = {name: name.partition(".")[2] for name in expected}
    if len(outer) == 1 and set(inner.values()) == found.keys():
        return inner
    own, theirs = _by_kind(expected), _by_kind(found)
    if not ordered or {k: len(v) for k, v in own.items()} != {k: len(v) for k, v in theirs.items()}:
        return {}
    names = {
        _joined(mine, part): _joined(other, part)
        for kind, layers in own.items()
        for mine, other in zip(layers, theirs[kind], strict=True)
        for part, _ in kind
    }
    return names if all(tuple(found[b]) == tuple(expected[a]) for a, b in names.items()) else {}


Kind = tuple[tuple[str, int], ...]
"""names of the weights of a layer, each with its number of dimensions"""


def _by_kind(shapes: Shapes) -> dict[Kind, list[str]]:
    """The layers of each kind, in order."""
    parts: dict[str, dict[str, int]] = {}
    for name, shape in shapes.items():
        layer, _, part = name.rpartition(".")
        parts.setdefault(layer, {})[part] = len(shape)
    kinds: dict[Kind, list[str]] = {}
    for layer, found in parts.items():
        kinds.setdefault(tuple(sorted(found.items())), []).append(layer)
    return kinds


def _joined(layer: str, part: str) -> str:
    return f"{layer}.{part}" if layer else part
