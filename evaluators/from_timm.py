"""Networks of the library timm, under their names there: ``timm:resnet18``. Always untrained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ddbench.learning.zoo import check_timm
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
        check_timm(self.model)

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
