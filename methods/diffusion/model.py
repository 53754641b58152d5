"""A class-conditional noise predictor with all that sampling and fine-tuning need to know of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers import DDPMScheduler, DiTTransformer2DModel

from ddbench.computing import compiled, products, weights_in
from ddbench.hyperparameters import Compilation, Precision
from ddbench.methods.diffusion.checkpoints.honoured import transformer_problems
from ddbench.methods.diffusion.checkpoints.load import load_model
from ddbench.methods.diffusion.codec import Codec, load_codec

Weights = dict[str, torch.Tensor]
"""weights of a transformer by name, perhaps not all of them"""


@dataclass
class DiffusionModel:
    """A DiT, its noise schedule, and the meaning of its class ids."""

    transformer: Any
    scheduler: Any
    classes: tuple[str, ...]
    """name (wnid) of class id i"""
    encoder: Codec
    decoder: Codec
    """often the encoder; a decoder tuned for fidelity may take its place when sampling"""
    tuned: list[tuple[tuple[str, ...], Weights]] = field(default_factory=list)
    """after fine-tuning: for each chunk of classes, the weights that replace the prior's"""
    beside: dict[str, Any] = field(default_factory=dict)
    """states of preparations that a guidance asked for and that are no part of the model, by name"""
    _active: int | None = None
    _abars: dict[torch.device, torch.Tensor] = field(default_factory=dict)
    _products: Precision | None = None
    """how the transformer's products are computed; None: as the surroundings say"""

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

    def abars(self, device: torch.device) -> torch.Tensor:
        """``alphas_cumprod`` on ``device``, moved once: a training step reads it at each call."""
        if device not in self._abars:
            self._abars[device] = self.alphas_cumprod.to(device)
        return self._abars[device]

    @property
    def prediction(self) -> str:
        """What the network predicts: ``epsilon``, ``v_prediction`` or ``sample``."""
        return str(self.scheduler.config.prediction_type)

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        size = int(self.transformer.config.sample_size)
        return int(self.transformer.config.in_channels), size, size

    @property
    def device(self) -> torch.device:
        return next(self.transformer.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Of the transformer's weights."""
        dtype: torch.dtype = next(self.transformer.parameters()).dtype
        return dtype

    @contextmanager
    def computed(self, precision: Precision, compilation: Compilation) -> Iterator[None]:
        """The transformer computed as the options say within the block; its weights are as before at its end."""
        active, self._products = self._active, precision
        cast = weights_in(self.transformer, precision)
        try:
            with cast, compiled(self.transformer.transformer_blocks, compilation):
                yield
        finally:
            self._products = None
            self._active = active if precision == "bf16" else self._active

    @property
    def learns_variance(self) -> bool:
        return int(self.transformer.config.out_channels or 0) == 2 * int(self.transformer.config.in_channels)

    def ids(self, names: Sequence[str]) -> list[int]:
        """Class ids of ``names``; identity is the name, so the order of a dataset's classes does not matter."""
        position = {name: i for i, name in enumerate(self.classes)}
        missing = [name for name in names if name not in position]
        if missing:
            raise ValueError(f"the prior knows no class {missing[0]!r} ({len(missing)} classes missing)")
        return [position[name] for name in names]

    def predict(
        self, x: torch.Tensor, t: torch.Tensor, class_ids: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """eps_theta(x_t, t, class) and, of a model with learned variance, what it says of that.

        x (B, C, H, W), t and class_ids int64 (B,) -> (B, C, H, W) each. Of a model that predicts v or x_0, eps is what
        follows from it.
        """
        with products(self._products) if self._products else nullcontext():
            out = self.transformer(x.to(self.dtype), timestep=t, class_labels=class_ids).sample.to(x.dtype)
        channels = x.shape[1]
        first, variance = out[:, :channels], out[:, channels:] if out.shape[1] == 2 * channels else None
        if self.prediction == "epsilon":
            return first, variance
        abar = self.abars(x.device)[t.to(x.device)].view(-1, 1, 1, 1)
        return noise_of(self.prediction, first, x, abar), variance

    def chunks(self, names: Sequence[str]) -> list[tuple[str, ...]]:
        """``names`` in groups that one set of weights serves, in their order."""
        groups: list[tuple[int | None, list[str]]] = []
        for name in names:
            owner = next((i for i, (members, _) in enumerate(self.tuned) if name in members), None)
            if groups and groups[-1][0] == owner:
                groups[-1][1].append(name)
            else:
                groups.append((owner, [name]))
        return [tuple(members) for _, members in groups]

    def activate(self, name: str) -> None:
        """Put the weights that serve the class ``name`` into the transformer."""
        for i, (members, weights) in enumerate(self.tuned):
            if name in members and self._active != i:
                put(self.transformer, weights)
                self._active = i

    def save(self, folder: Path) -> None:
        """The layout of a diffusers pipeline: transformer/, scheduler/ and vae/ (unless it works on pixels), with the
        class names beside. What fine-tuning changed is ``save_tuned``'s."""
        self.transformer.save_pretrained(folder / "transformer")
        self.scheduler.save_pretrained(folder / "scheduler")
        self.encoder.save(folder)
        for path in folder.glob("*/*config.json"):
            _forget_origin(path)
        (folder / "classes.json").write_text(json.dumps(list(self.classes)))

    @staticmethod
    def load(
        folder: Path, device: str, precision: Precision = "fp32", compilation: Compilation = "none"
    ) -> DiffusionModel:
        """What ``save`` wrote; the options are those of its autoencoder."""
        codec = load_codec(folder, device, precision, compilation)
        return DiffusionModel(
            transformer=load_model(DiTTransformer2DModel, str(folder), transformer_problems, "transformer").to(device),
            scheduler=DDPMScheduler.from_pretrained(folder / "scheduler"),
            classes=tuple(json.loads((folder / "classes.json").read_text())),
            encoder=codec,
            decoder=codec,
        )

    def save_tuned(self, folder: Path) -> None:
        """The weights of each chunk as ``<i>.safetensors``, and ``chunks.json`` with its class names and the names of
        weights that are one tensor with another, which is stored once."""
        from safetensors.torch import save_file

        chunks = []
        for i, (members, weights) in enumerate(self.tuned):
            first: dict[int, str] = {}
            for name, tensor in sorted(weights.items()):
                first.setdefault(id(tensor), name)
            same = {name: first[id(w)] for name, w in sorted(weights.items()) if first[id(w)] != name}
            save_file({n: w.contiguous() for n, w in weights.items() if n not in same}, folder / f"{i}.safetensors")
            chunks.append({"classes": list(members), "same": same})
        (folder / "chunks.json").write_text(json.dumps(chunks))

    def load_tuned(self, folder: Path) -> None:
        """Read what ``save_tuned`` wrote on top of this, the prior."""
        from safetensors.torch import load_file

        self.tuned = []
        for i, chunk in enumerate(json.loads((folder / "chunks.json").read_text())):
            weights = load_file(folder / f"{i}.safetensors", device=str(self.device))
            weights |= {name: weights[first] for name, first in chunk["same"].items()}
            self.tuned.append((tuple(chunk["classes"]), weights))


def noise_of(prediction: str, output: torch.Tensor, x: torch.Tensor, abar: torch.Tensor) -> torch.Tensor:
    """The noise in ``x`` = sqrt(abar) x_0 + sqrt(1 - abar) eps that a prediction of v = sqrt(abar) eps - sqrt(1 - abar)
    x_0 (Salimans & Ho 2022, section 4) or of x_0 (``sample``) implies."""
    if prediction == "v_prediction":
        return abar.sqrt() * output + (1 - abar).sqrt() * x
    return (x - abar.sqrt() * output) / (1 - abar).sqrt()


def own_weight(prediction: str, abar: torch.Tensor) -> torch.Tensor | float:
    """The factor that turns a squared error of eps into that of what the network predicts, at the same ``x``."""
    if prediction == "epsilon":
        return 1.0
    return 1 / abar if prediction == "v_prediction" else (1 - abar) / abar


def share_copies(weights: Weights) -> Weights:
    """``weights`` with equal copies of the class table and the timestep MLP as one tensor: DiT has one of each,
    diffusers a copy in each block, 4.6 MB of DiT-XL/2 28 times."""
    first: dict[str, torch.Tensor] = {}
    shared = {}
    for name, tensor in weights.items():
        _, inside, rest = name.partition(".norm1.emb.")
        known = first.setdefault(rest, tensor) if inside else tensor
        shared[name] = known if torch.equal(known, tensor) else tensor
    return shared


@torch.no_grad()
def put(transformer: Any, weights: Weights) -> None:
    """Copy ``weights`` into the parameters of their names."""
    named = dict(transformer.named_parameters())
    for name, tensor in weights.items():
        named[name].copy_(tensor)


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
