"""Keys: the digest of exactly what a stage reads.

Two stages with the same key are the same work, whatever the methods that ask for them are called.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical(value: Any) -> str:
    """``value`` (JSON types only) as canonical JSON: sorted keys, no spaces, no NaN.

    Raises TypeError for anything that is not a JSON type and ValueError for NaN or an infinity, so that nothing
    is keyed by an accidental ``repr``.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:
    """The first 32 hex digits (128 bits) of the SHA-256 of ``canonical(value)``."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:32]
