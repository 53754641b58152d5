"""A value that is one of several: a slip is answered with the nearest, on one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from ddbench.errors import unknown


class Choice(click.Choice[str]):
    """One of ``choices``; ``what``: what a message calls it; ``also``: other words for some of them."""

    def __init__(self, choices: Sequence[str], what: str, also: Mapping[str, str] | None = None) -> None:
        super().__init__(choices)
        self.what, self.also = what, dict(also or {})

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(self.also.get(value, value), param, ctx)
        except click.BadParameter:
            problem = str(unknown(self.what, str(value), self.choices))
            named = None if isinstance(param, click.Argument) else param  # an argument is called as all of its choices
            raise click.BadParameter(problem, ctx, named) from None

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:
        return "" if isinstance(param, click.Argument) else f"It is one of: {', '.join(self.choices)}."
