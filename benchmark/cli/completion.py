"""What a shell proposes on Tab: names of what is installed, in lists with commas too. Nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

from ddbench.errors import BenchError
from ddbench.plugins.registry import ALSO, KINDS, Kind, entries, kind_named

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def names_of(kind: Kind, *, many: bool = False) -> Completer:
    """Completes a registered name of a kind, or with ``many`` the last of several with commas between them."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        before, comma, last = incomplete.rpartition(",") if many else ("", "", incomplete)
        taken = set(before.split(","))
        return _items(f"{before}{comma}", (name for name in entries(kind) if name not in taken), last)

    return complete


def configs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Completes a named study or, where none begins so, the path of a file."""
    from ddbench.config.files import named_configs

    return [*_items("", named_configs(), incomplete), CompletionItem(incomplete, type="file")]


def anything(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Completes a registered name of any kind, or KIND/NAME, of which the beginning of a kind is enough."""
    before, slash, last = incomplete.partition("/")
    if slash:
        kind = kind_named(before)
        return _items(f"{before}/", entries(kind), last) if kind else []
    names = sorted({name for kind in KINDS for name in entries(kind)})
    words = [*KINDS, *ALSO] if incomplete else []
    return [
        *_items("", names, incomplete),
        *(item for word in words if word.startswith(incomplete) for item in _items(f"{word}/", _of(word), "")),
    ]


def cells(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Completes a cell of the store that ``--store`` names, up to where cells part."""
    from ddbench.api.choices import DEFAULT_STORE
    from ddbench.plan.asked import cell_names

    try:
        names = [name for name in cell_names(ctx.params.get("store") or DEFAULT_STORE) if name.startswith(incomplete)]
    except BenchError:
        return []
    depth = incomplete.count("/")
    while True:
        begun = dict.fromkeys("/".join(name.split("/")[: depth + 1]) for name in names)
        if len(begun) != 1 or next(iter(begun)) in names:
            return [CompletionItem(name if name in names else f"{name}/") for name in begun]
        depth += 1


def _of(word: str) -> Iterable[str]:
    kind = kind_named(word)
    return entries(kind) if kind else ()


def _items(before: str, names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(f"{before}{name}") for name in names if name.startswith(incomplete)]
