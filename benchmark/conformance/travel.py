"""Whether a registered value reaches workers: pickled, and rebuilt from its fields."""

from __future__ import annotations

import pickle
from typing import Any

from ddbench.config.addresses import addresses_of
from ddbench.config.values import build, describe


def lost_on_the_way(value: Any) -> str:
    """What differs in a copy of ``value`` on a worker, as text; empty for nothing."""
    try:
        if pickle.loads(pickle.dumps(value)) != value:
            return "a pickled copy is not equal to it"
        if build(describe(value), addresses_of(value)) != value:
            return "rebuilt from its fields it is not equal to itself"
    except (TypeError, AttributeError, pickle.PicklingError) as error:
        return f"{type(error).__name__}: {error}"
    return ""
