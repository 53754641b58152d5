"""A pretrained DiT in the layout of facebook/DiT-XL-2-256, its class ids known by wnid."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ddbench.methods.diffusion.priors.prior import Autoencoder, Prior
from ddbench.types import LabeledImages, StageContext

if TYPE_CHECKING:
    from ddbench.methods.diffusion.model import DiffusionModel


@dataclass(frozen=True)
class PretrainedDiT(Prior):
    """A diffusers DiTPipeline trained on ImageNet-1K: external knowledge, which a table should say."""

    knowledge: ClassVar[str] = "a diffusion model trained on all of ImageNet-1K"

    source: str = "facebook/DiT-XL-2-256"
    """hub id, or folder with transformer/, vae/ and scheduler/"""
    encoder: Autoencoder | None = None
    """replaces the pipeline's autoencoder for encoding; None keeps it"""
    decoder: Autoencoder | None = None
    """replaces it for decoding (Minimax samples with the ``mse`` decoder and trains with ``ema``); None keeps it"""

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

    def _open(self, device: str) -> DiffusionModel:
        from diffusers import DDPMScheduler, DiTPipeline
        from timm.data import ImageNetInfo

        from ddbench.methods.diffusion.codec import DiffusersCodec
        from ddbench.methods.diffusion.model import DiffusionModel

        try:
            # .bin weights are read with weights_only=True by diffusers, so neither format runs code.
            pipeline = DiTPipeline.from_pretrained(self.source, low_cpu_mem_usage=False)
        except (OSError, ValueError) as error:
            raise ValueError(
                f"cannot load the DiT pipeline {self.source!r}: {' '.join(str(error).split())[:300]}. Name a "
                "folder that holds transformer/, vae/ and scheduler/ with --set methods.diffusion.prior.source=FOLDER"
            ) from None
        wnids = tuple(ImageNetInfo("imagenet-1k").label_names())
        if int(pipeline.transformer.config.num_embeds_ada_norm) != len(wnids):
            raise ValueError(
                f"{self.source} has {pipeline.transformer.config.num_embeds_ada_norm} classes, not ImageNet's 1000"
            )
        own = DiffusersCodec(pipeline.vae.to(device))
        scheduler = DDPMScheduler.from_config(pipeline.scheduler.config, clip_sample=False)
        return DiffusionModel(
            transformer=pipeline.transformer.to(device),
            scheduler=scheduler,
            classes=wnids,
            encoder=self.encoder.open(device) if self.encoder else own,
            decoder=self.decoder.open(device) if self.decoder else own,
        )


def _digest(model: DiffusionModel) -> str:
    import torch

    found = hashlib.sha256(f"{model.encoder.identity()} {model.decoder.identity()}".encode())
    for name, tensor in sorted(model.transformer.state_dict().items()):
        found.update(name.encode())
        found.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()[:16]
