"""Networks of the library timm, under their names there: ``timm:resnet18``. Always untrained."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ddbench.types import Network, Shape

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Timm(Network):
    """A model of timm, untrained, for the size and channels of the images; such as timm:resnet18.

    Raises ValueError, with the nearest names, for a name that timm does not have.
    """

    model: str

    def __post_init__(self) -> None:
        known = known_models()
        if self.model in known:
            return
        base, dot, _ = self.model.partition(".")
        if dot and base in known:
            raise ValueError(f"{self.model!r} names pretrained weights; networks start untrained here: write {base!r}")
        close = difflib.get_close_matches(self.model, known, n=3, cutoff=0.5)
        nearest = f"; nearest: {', '.join(close)}" if close else ""
        raise ValueError(
            f"timm has no model {self.model!r}{nearest}. "
            f"python -c 'import timm; print(timm.list_models(\"resnet*\"))' lists names"
        )

    def __call__(self, shape: Shape, num_classes: int) -> torch.nn.Module:
        """Raises ValueError when the model cannot take images of ``shape``."""
        import torch

        from ddbench.evaluators.modules import TimmModule

        try:
            module = TimmModule(self.model, shape, num_classes)
            with torch.no_grad():
                found = module.eval()(torch.zeros(2, *shape))
        except (RuntimeError, ValueError, AssertionError, ZeroDivisionError) as error:
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ValueError(
                f"timm's {self.model} cannot take images of {shape[1]} x {shape[2]} px with {shape[0]} channels; such "
                f"networks often need 32 px or more, or a multiple of their patch: {first}"
            ) from error
        if not found.isfinite().all():
            raise ValueError(f"timm's {self.model} gives no finite outputs at {shape[1]} x {shape[2]} px: too small")
        return module.train()


@lru_cache
def known_models() -> frozenset[str]:
    """The names of timm's models, read from its source: importing timm takes seconds, and a plan only needs names.

    Raises ValueError when timm is not installed.
    """
    spec = find_spec("timm")
    if spec is None or spec.origin is None:
        raise ValueError("timm is not installed: pip install timm")
    files = (Path(spec.origin).parent / "models").glob("*.py")
    found = (re.findall(r"^@register_model\s*\ndef (\w+)\(", path.read_text(), re.MULTILINE) for path in files)
    return frozenset(name for names in found for name in names)
