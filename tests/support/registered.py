"""Forgetting what plug-ins registered, so that each test starts from what is installed."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ddbench.plugins import registry, silent


@contextmanager
def forgotten(modules: Iterable[str]) -> Iterator[None]:
    """Afterwards the registry is as it was, and ``modules``, which may have grown meanwhile, are not imported."""
    before = dict(registry._decorated)
    yield
    registry._decorated.clear()
    registry._decorated.update(before)
    silent._silent.clear()
    registry.entries.cache_clear()
    for name in modules:
        sys.modules.pop(name, None)
