"""What of a model's configuration the family honours; anything else that would change its images is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ddbench.methods.diffusion.checkpoints.layouts import DIT

AUTOENCODERS = ("AutoencoderKL", "AutoencoderTiny")

SCHEDULERS = (
    "DDIMScheduler",
    "DDPMScheduler",
    "DEISMultistepScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "EulerAncestralDiscreteScheduler",
    "EulerDiscreteScheduler",
    "LMSDiscreteScheduler",
    "PNDMScheduler",
    "UniPCMultistepScheduler",
)
"""those of the discrete noise schedule of DDPM; which of them is named does not matter, the study's sampler steps"""
PREDICTIONS = ("epsilon", "v_prediction", "sample")
BETAS = ("linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid")


def transformer_problems(config: Mapping[str, Any], where: str) -> list[str]:
    """Why the transformer of ``config`` is no class-conditional DiT."""
    name = config.get("_class_name")
    if name not in DIT:
        return [f"{where} holds a {name}, and a prior is a class-conditional DiT (DiTTransformer2DModel)."]
    found = []
    norm = config.get("norm_type", "ada_norm_zero" if name == DIT[0] else None)
    if norm != "ada_norm_zero" or config.get("num_embeds_ada_norm", 1000) is None:
        found.append(f"{where} is no class-conditional DiT: its norm_type is {norm!r}, a DiT's is 'ada_norm_zero'.")
    channels = config.get("in_channels", 4)
    if config.get("out_channels") not in (None, channels, 2 * channels):
        found.append(
            f"{where} has {channels} channels and {config['out_channels']} outputs; a DiT has as many outputs, or "
            "twice as many with learned variance."
        )
    return found


def autoencoder_problems(config: Mapping[str, Any], where: str) -> list[str]:
    """Why the autoencoder of ``config`` is of another class, or scales its latents in a way that is not honoured."""
    name = config.get("_class_name")
    if name not in AUTOENCODERS:
        return [f"{where} holds a {name}, and autoencoders are {' or '.join(AUTOENCODERS)}."]
    found = []
    factor = config.get("scaling_factor", 0.18215 if name == AUTOENCODERS[0] else 1.0)
    if isinstance(factor, bool) or not isinstance(factor, int | float) or not factor > 0:
        found.append(f"{where} has the scaling_factor {factor!r}: write the number that its DiT was trained with.")
    for key in ("latents_mean", "latents_std"):
        if config.get(key) is not None:
            found.append(f"{where} scales each channel of its latents by {key}, which is not honoured; DiT has none.")
    if config.get("shift_factor"):
        found.append(f"{where} has the shift_factor {config['shift_factor']}, which is not honoured; DiT has none.")
    return found


def schedule_problems(config: Mapping[str, Any], where: str) -> list[str]:
    """Why the noise schedule of ``config`` is not honoured. What only steps (spacing, solver) is the sampler's."""
    name = str(config.get("_class_name"))
    if name.startswith(("FlowMatch", "EDM")) or name not in SCHEDULERS:
        kind = "flow matching" if name.startswith("FlowMatch") else "EDM's noise" if name.startswith("EDM") else name
        return [
            f"{where} is a {name}: {kind} is not honoured. A prior has the noise schedule of DDPM ({SCHEDULERS[0]}, "
            f"{SCHEDULERS[1]} and others)."
        ]
    found = []
    prediction, betas = config.get("prediction_type", "epsilon"), config.get("beta_schedule", "linear")
    if prediction not in PREDICTIONS:
        found.append(f"{where} has the prediction_type {prediction!r}; honoured are {', '.join(PREDICTIONS)}.")
    if config.get("trained_betas") is None and betas not in BETAS:
        found.append(f"{where} has the beta_schedule {betas!r}; honoured are {', '.join(BETAS)}.")
    last = max(config.get("trained_betas") or [0])
    if config.get("rescale_betas_zero_snr") or last >= 1:
        found.append(f"{where} has zero terminal SNR (abar is exactly 0 at the last timestep), which is not honoured.")
    for key in ("use_flow_sigmas", "use_dynamic_shifting", "thresholding"):
        if config.get(key):
            found.append(f"{where} has {key}, which is not honoured: set it to false if the DiT was trained without.")
    for key in ("shift", "flow_shift", "snr_shift_scale"):
        if config.get(key) not in (None, 1, 1.0):
            found.append(f"{where} shifts the timesteps ({key} {config[key]}), which is not honoured.")
    if config.get("clip_sample", name in ("DDIMScheduler", "DDPMScheduler")):
        found.append(
            f"{where} has clip_sample true, which would clamp latents to [-1, 1] at each step: set it to false there. "
            "(Diffusers' default is true; that of DiT is false.)"
        )
    if name == "DDIMScheduler" and config.get("set_alpha_to_one", True) is False:
        found.append(f"{where} has set_alpha_to_one false: the last step would leave noise, which is not honoured.")
    return found
