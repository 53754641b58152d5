"""A class-conditional noise predictor with all that sampling and fine-tuning need to know of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import DDPMScheduler, DiTTransformer2DModel

from methods.diffusion.autoencoder import PixelSpace


@dataclass
class DiffusionModel:
    """A DiT, its noise schedule, and the meaning of its class ids."""

    transformer: Any
    scheduler: Any
    classes: tuple[str, ...]
    """name (wnid) of class id i"""
    space: PixelSpace

    def __post_init__(self) -> None:
        # diffusers drops labels in train() mode, independently in every block; dropping is done once, by the loop.
        for block in self.transformer.transformer_blocks:
            block.norm1.emb.class_embedder.dropout_prob = 0.0

    @property
    def null_id(self) -> int:
        """The class id that means "no class"; the one after the last (DiTPipeline assumes 1000 whatever the model)."""
        return int(self.transformer.config.num_embeds_ada_norm)

    @property
    def alphas_cumprod(self) -> torch.Tensor:
        """abar_t, float32 (T,), on the CPU."""
        return self.scheduler.alphas_cumprod

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        size = int(self.transformer.config.sample_size)
        return int(self.transformer.config.in_channels), size, size

    @property
    def device(self) -> torch.device:
        return next(self.transformer.parameters()).device

    def ids(self, names: tuple[str, ...]) -> list[int]:
        """Class ids of ``names``; identity is the name, so the order of a dataset's classes does not matter."""
        position = {name: i for i, name in enumerate(self.classes)}
        missing = [name for name in names if name not in position]
        if missing:
            raise ValueError(f"the prior knows no class {missing[0]!r} ({len(missing)} classes missing)")
        return [position[name] for name in names]

    def predict_noise(self, x: torch.Tensor, t: torch.Tensor, class_ids: torch.Tensor) -> torch.Tensor:
        """eps_theta(x_t, t, class): x (B, C, H, W), t and class_ids int64 (B,) -> (B, C, H, W).

        Of a model with learned variance (2C output channels) the first C are the noise.
        """
        out = self.transformer(x, timestep=t, class_labels=class_ids).sample
        return out[:, : x.shape[1]]

    def save(self, folder: Path) -> None:
        """The layout of a diffusers pipeline: transformer/ and scheduler/, with the class names beside."""
        self.transformer.save_pretrained(folder / "transformer")
        self.scheduler.save_pretrained(folder / "scheduler")
        for part in ("transformer", "scheduler"):
            _forget_origin(next((folder / part).glob("*config.json")))
        (folder / "classes.json").write_text(json.dumps(list(self.classes)))

    @staticmethod
    def load(folder: Path, device: str) -> DiffusionModel:
        return DiffusionModel(
            transformer=DiTTransformer2DModel.from_pretrained(
                folder / "transformer", use_safetensors=True, low_cpu_mem_usage=False
            ).to(device),
            scheduler=DDPMScheduler.from_pretrained(folder / "scheduler"),
            classes=tuple(json.loads((folder / "classes.json").read_text())),
            space=PixelSpace(),
        )


def _forget_origin(path: Path) -> None:
    """diffusers notes the folder that a model was loaded from; equal models must be equal files."""
    config = json.loads(path.read_text())
    config.pop("_name_or_path", None)
    path.write_text(json.dumps(config, indent=2, sort_keys=True))


def new_transformer(
    *, width: int, layers: int, heads: int, patch: int, channels: int, size: int, num_classes: int
) -> Any:
    """An untrained DiT whose blocks start as the identity and whose output starts at zero (adaLN-zero, Peebles &
    Xie 2023, section 3.2; diffusers leaves these weights at their random default)."""
    transformer = DiTTransformer2DModel(
        num_attention_heads=heads,
        attention_head_dim=width // heads,
        in_channels=channels,
        out_channels=channels,
        num_layers=layers,
        sample_size=size,
        patch_size=patch,
        num_embeds_ada_norm=num_classes,
        norm_num_groups=1,
    )
    silent = [block.norm1.linear for block in transformer.transformer_blocks]
    for layer in [*silent, transformer.proj_out_1, transformer.proj_out_2]:
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    return transformer
