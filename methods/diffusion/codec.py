"""Images to latents and back. Every scale is read from the autoencoder's own configuration."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, AutoencoderTiny

from ddbench.computing import compile_blocks, dtype_of, products
from ddbench.hyperparameters import Compilation, Precision
from ddbench.methods.diffusion.checkpoints.load import load_model
from ddbench.methods.diffusion.checkpoints.look import class_check, space_of
from ddbench.methods.pixels import from_levels, to_levels

BATCH = 32
"""images that an autoencoder sees at once"""


class Codec(ABC):
    """uint8 images (N, C, H, W) on the CPU <-> float32 latents (N, c, h, w) scaled to about unit variance."""

    @abstractmethod
    def moments(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Mean and standard deviation of the latents of ``images``, scaled; None for a deterministic codec."""

    @abstractmethod
    def render(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents -> float images (N, C, H, W), on the latents' device and differentiable by them. Grey levels lie in
        [-1, 1], but nothing is clamped."""

    @abstractmethod
    def decode(self, latents: torch.Tensor, of: Sequence[str] = ()) -> torch.Tensor:
        """Latents -> uint8 images on the CPU, clamped and rounded to the nearest level.

        of: the class of each image, for the message. Raises FloatingPointError where a pixel is not finite.
        """

    @abstractmethod
    def identity(self) -> str:
        """A digest of the weights: what a cache of latents is named by."""

    @abstractmethod
    def latent_shape(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """Shape of the latents of images of ``shape``."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what ``load_codec`` reads."""

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """The mean latents of ``images``."""
        return self.moments(images)[0]


class PixelCodec(Codec):
    """The identity, scaled to [-1, 1]."""

    def moments(self, images: torch.Tensor) -> tuple[torch.Tensor, None]:
        return from_levels(images), None

    def render(self, latents: torch.Tensor) -> torch.Tensor:
        return latents

    def decode(self, latents: torch.Tensor, of: Sequence[str] = ()) -> torch.Tensor:
        return to_levels(latents, of)

    def identity(self) -> str:
        return "pixels"

    def latent_shape(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        return shape

    def save(self, folder: Path) -> None:
        pass


class DiffusersCodec(Codec):
    """An autoencoder of diffusers, in evaluation mode."""

    def __init__(self, vae: Any, precision: Precision = "fp32", compilation: Compilation = "none") -> None:
        self.vae = vae.eval().requires_grad_(False)
        self.precision, self.compilation = precision, compilation
        torch.nn.Module.to(self.vae, dtype_of(precision))
        compile_blocks(_blocks(self.vae), compilation)
        # Of use to ``render`` under a gradient alone: a decoder's activations take gigabytes an image.
        self.vae.enable_gradient_checkpointing()

    # diffusers' own properties look through all modules at each call.
    @property
    def _device(self) -> torch.device:
        return next(self.vae.parameters()).device

    @property
    def _dtype(self) -> torch.dtype:
        return next(self.vae.parameters()).dtype

    @torch.inference_mode()
    def moments(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        scale = float(self.vae.config.scaling_factor)
        means, deviations = [], []
        for part in images.split(BATCH):
            with products(self.precision):
                encoded = self.vae.encode(from_levels(part.to(self._device)).to(self._dtype))
            if isinstance(self.vae, AutoencoderKL):
                means.append(encoded.latent_dist.mean.float() * scale)
                deviations.append(encoded.latent_dist.std.float() * scale)
            else:
                means.append(encoded.latents.float() * scale)
        return torch.cat(means), torch.cat(deviations) if deviations else None

    def render(self, latents: torch.Tensor) -> torch.Tensor:
        scaled = latents / float(self.vae.config.scaling_factor)
        with products(self.precision):
            images: torch.Tensor = self.vae.decode(scaled.to(self._dtype)).sample
        return images.to(latents.dtype)

    @torch.inference_mode()
    def decode(self, latents: torch.Tensor, of: Sequence[str] = ()) -> torch.Tensor:
        parts = []
        for start in range(0, len(latents), BATCH):
            images = self.render(latents[start : start + BATCH].to(self._device))
            parts.append(to_levels(images, of[start : start + BATCH]).cpu())
        return torch.cat(parts)

    def identity(self) -> str:
        found = hashlib.sha256()
        for name, tensor in sorted(self.vae.state_dict().items()):
            found.update(name.encode())
            found.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
        computed = [option for option in (self.precision, self.compilation) if option not in ("fp32", "none")]
        return "-".join([found.hexdigest()[:16], *computed])

    def latent_shape(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        space = space_of({**self.vae.config, "_class_name": type(self.vae).__name__})
        return space.latents, shape[1] // space.factor, shape[2] // space.factor

    def save(self, folder: Path) -> None:
        self.vae.save_pretrained(folder / "vae")


def _blocks(vae: Any) -> list[torch.nn.Module]:
    """The parts of an autoencoder that are compiled one by one."""
    if isinstance(vae, AutoencoderTiny):
        return [vae.encoder.layers, vae.decoder.layers]
    encoder, decoder = vae.encoder, vae.decoder
    return [*encoder.down_blocks, encoder.mid_block, decoder.mid_block, *decoder.up_blocks]


def open_codec(
    cls: Any,
    source: str,
    device: str,
    option: str,
    part: str = "",
    precision: Precision = "fp32",
    compilation: Compilation = "none",
) -> DiffusersCodec:
    """The autoencoder of class ``cls`` (AutoencoderKL, AutoencoderTiny) at a hub id or in a folder, there in ``part``.

    option: the key of the configuration that names it, for messages. Raises BenchError when it is neither at hand nor
    downloadable, of another class, scaled in a way that is not honoured, or lacks a weight.
    """
    vae = load_model(cls, source, class_check(cls.__name__, option), part).to(device)
    return DiffusersCodec(vae, precision, compilation)


def load_codec(folder: Path, device: str, precision: Precision = "fp32", compilation: Compilation = "none") -> Codec:
    """The codec that ``save`` wrote into ``folder`` (a pipeline's folder, with vae/ unless it works on pixels)."""
    config = folder / "vae" / "config.json"
    if not config.exists():
        return PixelCodec()
    cls = class_of(json.loads(config.read_text()))
    return open_codec(cls, str(folder), device, "source", "vae", precision, compilation)


def class_of(config: Mapping[str, Any]) -> Any:
    """The class of an autoencoder by its configuration."""
    return {cls.__name__: cls for cls in (AutoencoderKL, AutoencoderTiny)}[config["_class_name"]]
