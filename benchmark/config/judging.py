"""Whether the sets of methods can be judged by a protocol: the labels that it trains on must be there."""

from __future__ import annotations

from collections.abc import Mapping

from ddbench.errors import BenchError
from ddbench.plugins.broken import BrokenMethod
from ddbench.types import Distiller, Protocol


def check_labels(name: str, protocol: Protocol, methods: Mapping[str, Distiller]) -> None:
    """Raises BenchError where ``methods`` do not make the labels that the protocol ``name`` trains on.

    Methods that cannot be imported are left out: their cells fail and say why.
    """
    kind = getattr(protocol, "labels", "")
    if kind == "stored":
        raise BenchError(
            f"{name} trains on soft labels stored beside a set, and methods make none. Distil under another protocol, "
            "export the sets (`bench export`), store labels for them (`bench labels SETS`), and judge both: `bench "
            f"evaluate SETS --labels FOLDER --protocol {name}`."
        ).at("grid.protocol")
    lacking = [m for m, one in methods.items() if not (one.makes_soft_labels or isinstance(one, BrokenMethod))]
    if kind == "set" and lacking:
        make = "makes" if len(lacking) == 1 else "make"
        raise BenchError(
            f"{name} trains on the soft labels of the sets, and {', '.join(lacking)} {make} none. Choose hard labels "
            "or those of a teacher, such as --protocol cpu-small@1 or cpu-small-teacher@1 (`bench list protocols`); a "
            "method of yours whose sets carry soft labels says so by makes_soft_labels = True in its class."
        ).at("grid.protocol")
