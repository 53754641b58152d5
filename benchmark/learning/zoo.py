"""Names of the models of timm and torchvision, read from their source: importing either takes seconds, and a plan only
needs names."""

from __future__ import annotations

import difflib
import re
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path


@lru_cache
def timm_models() -> frozenset[str]:
    """The names of timm's models. Raises ValueError when timm is not installed."""
    return _names("timm", r"^@register_model\s*\ndef (\w+)\(")


@lru_cache
def torchvision_classifiers() -> frozenset[str]:
    """The names of torchvision's classifiers. Raises ValueError when it is not installed."""
    return _names("torchvision", r"^@register_model\(\)\n(?:@.*\n(?:[ )].*\n)*)*def (\w+)\(")


def check_timm(model: str) -> None:
    """Raises ValueError, with the nearest names, for a name that timm does not have, or that names weights."""
    known = timm_models()
    if model in known:
        return
    base, dot, _ = model.partition(".")
    if dot and base in known:
        raise ValueError(f"{model!r} names pretrained weights; networks start untrained here: write {base!r}")
    raise ValueError(
        f"timm has no model {model!r}{_nearest(model, known)}. "
        f"python -c 'import timm; print(timm.list_models(\"resnet*\"))' lists names"
    )


def check_torchvision(model: str) -> None:
    """Raises ValueError, with the nearest names, for a classifier that torchvision does not have."""
    known = torchvision_classifiers()
    if model not in known:
        raise ValueError(f"torchvision has no classifier {model!r}{_nearest(model, known)}")


def _nearest(model: str, known: frozenset[str]) -> str:
    close = difflib.get_close_matches(model, known, n=3, cutoff=0.5)
    return f"; nearest: {', '.join(close)}" if close else ""


def _names(library: str, pattern: str) -> frozenset[str]:
    spec = find_spec(library)
    if spec is None or spec.origin is None:
        raise ValueError(f"{library} is not installed: pip install {library}")
    files = (Path(spec.origin).parent / "models").glob("*.py")
    return frozenset(name for path in files for name in re.findall(pattern, path.read_text(), re.MULTILINE))
