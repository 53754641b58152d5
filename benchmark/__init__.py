"""Dataset-distillation-bench in Python: what the ``bench`` command does, as functions and results.

    study = ddbench.study("digits", methods=["random", "rsm_cgs"], ipc=[1])
    results = ddbench.run(study, store="bench-store")
    results.frame(), results.table(), results.plot("ipc"), results.report("report.html")

Names are imported when they are first used, so that ``import ddbench`` is fast. Errors are ``BenchError``, with the
text that the command prints.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ddbench.api.door import check as check
    from ddbench.api.door import evaluate as evaluate
    from ddbench.api.door import run as run
    from ddbench.api.door import worth as worth
    from ddbench.api.results import Results as Results
    from ddbench.api.results import load as load
    from ddbench.api.sensitivity import sensitivity as sensitivity
    from ddbench.api.study import study as study
    from ddbench.errors import BenchError as BenchError
    from ddbench.plugins.registry import register as register
    from ddbench.types import Dataset as Dataset
    from ddbench.types import Distiller as Distiller
    from ddbench.types import LabeledImages as LabeledImages
    from ddbench.types import Needs as Needs
    from ddbench.types import Network as Network
    from ddbench.types import Preparation as Preparation
    from ddbench.types import Protocol as Protocol
    from ddbench.types import Record as Record
    from ddbench.types import StageContext as StageContext
    from ddbench.types import Watcher as Watcher

_HOMES = {
    "api.door": ("check", "evaluate", "run", "worth"),
    "api.results": ("Results", "load"),
    "api.sensitivity": ("sensitivity",),
    "api.study": ("study",),
    "errors": ("BenchError",),
    "plugins.registry": ("register",),
    "types": (
        "Dataset",
        "Distiller",
        "LabeledImages",
        "Needs",
        "Network",
        "Preparation",
        "Protocol",
        "Record",
        "StageContext",
        "Watcher",
    ),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [  # noqa: RUF022 (in the order of use)
    "study",
    "run",
    "load",
    "evaluate",
    "check",
    "worth",
    "sensitivity",
    "register",
    "Results",
    "BenchError",
    "Dataset",
    "Distiller",
    "LabeledImages",
    "Needs",
    "Network",
    "Preparation",
    "Protocol",
    "Record",
    "StageContext",
    "Watcher",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
