"""What a shell proposes on Tab: names of what is installed, in lists with commas too. Nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

from ddbench.plugins.registry import KINDS, Kind, entries

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
    """Completes a registered name of any kind, or KIND/NAME."""
    before, slash, last = incomplete.partition("/")
    if slash:
        return [item for kind in KINDS if kind == before for item in _items(f"{kind}/", entries(kind), last)]
    return _items("", sorted({name for kind in KINDS for name in entries(kind)}), incomplete)


def _items(before: str, names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(f"{before}{name}") for name in names if name.startswith(incomplete)]
