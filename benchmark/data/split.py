"""A stratified split by digests, which no release of a library can change."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def stratified(
    labels: Sequence[int], validation: float, test: float, salt: str
) -> tuple[list[int], list[int], list[int]]:
    """Indices (train, validation, test), each sorted, with the given fractions of every class (rounded down).

    Within a class, images are ordered by the SHA-256 of ``salt:index``.
    """
    parts: tuple[list[int], list[int], list[int]] = ([], [], [])
    for label in sorted(set(labels)):
        members = [i for i, other in enumerate(labels) if other == label]
        members.sort(key=lambda i: hashlib.sha256(f"{salt}:{i}".encode()).digest())
        n_validation, n_test = int(validation * len(members)), int(test * len(members))
        parts[1].extend(members[:n_validation])
        parts[2].extend(members[n_validation : n_validation + n_test])
        parts[0].extend(members[n_validation + n_test :])
    return sorted(parts[0]), sorted(parts[1]), sorted(parts[2])
