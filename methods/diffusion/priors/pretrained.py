"""A pretrained DiT: a diffusers pipeline, or a checkpoint of the original code; its class ids are known by wnid."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ddbench.errors import BenchError
from ddbench.methods.diffusion.checkpoints.honoured import transformer_problems
from ddbench.methods.diffusion.priors.facts import Named, PriorFacts, look_at_checkpoint, look_at_pipeline
from ddbench.methods.diffusion.priors.imagenet import wnids
from ddbench.methods.diffusion.priors.prior import Autoencoder, Prior
from ddbench.methods.diffusion.priors.schedule import NoiseSchedule
from ddbench.types import DataFacts, LabeledImages, NonNegativeInt, StageContext

if TYPE_CHECKING:
    from ddbench.methods.diffusion.codec import Codec
    from ddbench.methods.diffusion.model import DiffusionModel

OPTION = "methods.diffusion.prior"
"""where its fields are in a configuration, for messages"""


@dataclass(frozen=True)
class PretrainedDiT(Prior):
    """A DiT trained on ImageNet-1K: external knowledge, which a table should say."""

    knowledge: ClassVar[str] = "a diffusion model trained on all of ImageNet-1K"

    source: str = "facebook/DiT-XL-2-256"
    """a diffusers DiTPipeline (hub id, or folder with transformer/, vae/ and scheduler/), or a file of the original DiT
    code such as DiT-XL-2-256x256.pt, beside which ``encoder`` and ``schedule`` are named"""
    encoder: Autoencoder | None = None
    """replaces the pipeline's autoencoder for encoding; None keeps it"""
    decoder: Autoencoder | None = None
    """replaces it for decoding (Minimax samples with the ``mse`` decoder and trains with ``ema``); None keeps it, or
    takes that of ``encoder`` where there is no pipeline"""
    schedule: NoiseSchedule | None = None
    """replaces the pipeline's noise schedule; None keeps it"""
    heads: NonNegativeInt = 0
    """attention heads of a file of the original code, which does not tell them; 0: those of DiT-S, B, L or XL"""

    def problems(self, data: DataFacts) -> Sequence[str]:
        facts = self._look(data.light)
        return [*facts.problems, *facts.against(data)]

    def learns_variance(self, light: bool) -> bool | None:
        config = self._look(light).transformer
        return None if config is None else config.get("out_channels") == 2 * config.get("in_channels", 4)

    def run(self, real: LabeledImages, before: Any, ctx: StageContext) -> DiffusionModel:
        return self._open(ctx.device)

    def save(self, state: DiffusionModel, folder: Path) -> None:
        """Not the gigabytes of weights again, but where they are and their digest."""
        (folder / "reference.json").write_text(json.dumps({"source": self.source, "weights": _digest(state)}))

    def load(self, folder: Path, before: Any, ctx: StageContext) -> DiffusionModel:
        """Raises ValueError when the weights at ``source`` are no longer those that were named."""
        model = self._open(ctx.device)
        expected, found = json.loads((folder / "reference.json").read_text())["weights"], _digest(model)
        if found != expected:
            raise ValueError(f"the weights at {self.source} have changed: digest {found}, before {expected}")
        return model

    @property
    def _file(self) -> Path | None:
        """The file of the original code; None for a pipeline."""
        path = Path(self.source).expanduser()
        return path if path.is_file() else None

    def _look(self, light: bool) -> PriorFacts:
        named = Named(self.encoder, self.decoder, self.schedule)
        if self._file:
            return look_at_checkpoint(self._file, self.heads, named, OPTION, light)
        return look_at_pipeline(self.source, named, OPTION, light)

    def _open(self, device: str) -> DiffusionModel:
        from diffusers import DDPMScheduler, DiTTransformer2DModel

        from ddbench.methods.diffusion.checkpoints.load import load_model
        from ddbench.methods.diffusion.checkpoints.original import load_original
        from ddbench.methods.diffusion.model import DiffusionModel

        facts = self._look(light=False)
        if facts.problems:
            raise BenchError(" ".join(facts.problems))
        if self._file:
            transformer = load_original(self._file, self.heads, OPTION)
        else:
            transformer = load_model(DiTTransformer2DModel, self.source, transformer_problems, "transformer")
        own = None if self._file or (self.encoder and self.decoder) else self._own_codec(facts, device)
        encoder = self.encoder.open(device) if self.encoder else own
        decoder = self.decoder.open(device) if self.decoder else own or encoder
        assert facts.schedule and encoder and decoder  # else there were problems
        return DiffusionModel(
            transformer=transformer.to(device),
            scheduler=DDPMScheduler.from_config(dict(facts.schedule), clip_sample=False),
            classes=wnids(),
            encoder=encoder,
            decoder=decoder,
        )

    def _own_codec(self, facts: PriorFacts, device: str) -> Codec:
        from ddbench.methods.diffusion.codec import class_of, open_codec

        assert facts.autoencoder
        return open_codec(class_of(facts.autoencoder), self.source, device, f"{OPTION}.source", "vae")


def _digest(model: DiffusionModel) -> str:
    import torch

    found = hashlib.sha256(f"{model.encoder.identity()} {model.decoder.identity()}".encode())
    for name, tensor in sorted(model.transformer.state_dict().items()):
        found.update(name.encode())
        found.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()[:16]
