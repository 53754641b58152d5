"""The prior, the diffusion model that every method of the family starts from, and the space in which it works.

That space is pixels for small images, the latents of a variational autoencoder for large ones; ``codec`` does the work.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from ddbench.hyperparameters import Compilation, Precision
from ddbench.methods.diffusion.checkpoints.look import Look, look_at_autoencoder
from ddbench.types import Preparation

if TYPE_CHECKING:
    from ddbench.methods.diffusion.codec import Codec


@dataclass(frozen=True)
class Prior(Preparation):
    """Makes a ``DiffusionModel``: by training it (``ScratchPrior``) or by loading it (``PretrainedDiT``)."""

    knowledge: ClassVar[str] = ""
    """what a model of this kind knows from outside the train split"""
    stage: ClassVar[Literal["prior"]] = "prior"

    def learns_variance(self, light: bool) -> bool | None:
        """Whether the model predicts the variance of a step too; None where that is not known before it is made."""
        return None


@dataclass(frozen=True)
class Autoencoder(ABC):
    """Which autoencoder, if any, and how it is computed."""

    @property
    def computed(self) -> tuple[Precision, Compilation]:
        return "fp32", "none"

    def look(self, option: str, light: bool) -> Look:
        """What it is and what is wrong with it, without loading it; ``option``: the key that names it, for messages,
        and ``light`` as in ``DataFacts``."""
        return Look()

    @abstractmethod
    def open(self, device: str) -> Codec:
        """Load it onto ``device``. Raises BenchError for what ``look`` finds."""


@dataclass(frozen=True)
class PixelSpace(Autoencoder):
    """None: the "latent" is the image itself, scaled from 0..255 to [-1, 1]."""

    def open(self, device: str) -> Codec:
        from ddbench.methods.diffusion.codec import PixelCodec

        return PixelCodec()


@dataclass(frozen=True)
class KLAutoencoder(Autoencoder):
    """diffusers' AutoencoderKL: ``stabilityai/sd-vae-ft-ema``, ``stabilityai/sd-vae-ft-mse``, or a local folder."""

    source: str = "stabilityai/sd-vae-ft-ema"
    """hub id, or folder with config.json and weights"""
    precision: Precision = "fp32"
    """tf32: convolutions and matrix products in TF32 where a GPU has it. bf16: its weights are cast once"""
    compile: Compilation = "none"
    """blocks: its blocks are compiled one by one"""

    @property
    def computed(self) -> tuple[Precision, Compilation]:
        return self.precision, self.compile

    def look(self, option: str, light: bool) -> Look:
        return look_at_autoencoder(self.source, "AutoencoderKL", f"{option}.source", light)

    def open(self, device: str) -> Codec:
        from diffusers import AutoencoderKL

        from ddbench.methods.diffusion.codec import open_codec

        return open_codec(AutoencoderKL, self.source, device, "autoencoder.source", "", *self.computed)


@dataclass(frozen=True)
class TinyAutoencoder(Autoencoder):
    """diffusers' AutoencoderTiny, deterministic and fast: ``madebyollin/taesd``, or a local folder."""

    source: str = "madebyollin/taesd"
    precision: Precision = "fp32"
    """as that of ``KLAutoencoder``"""
    compile: Compilation = "none"

    @property
    def computed(self) -> tuple[Precision, Compilation]:
        return self.precision, self.compile

    def look(self, option: str, light: bool) -> Look:
        return look_at_autoencoder(self.source, "AutoencoderTiny", f"{option}.source", light)

    def open(self, device: str) -> Codec:
        from diffusers import AutoencoderTiny

        from ddbench.methods.diffusion.codec import open_codec

        return open_codec(AutoencoderTiny, self.source, device, "autoencoder.source", "", *self.computed)
