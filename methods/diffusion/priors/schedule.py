"""The noise schedule that a model was trained with, where its checkpoint does not say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ddbench.types import Count, Positive


@dataclass(frozen=True)
class NoiseSchedule:
    """Noise levels of DDPM (Ho et al. 2020), and what the network predicts; the defaults are those of DiT."""

    timesteps: Count = 1000
    betas: Literal["linear", "scaled_linear", "squaredcos_cap_v2"] = "linear"
    first: Positive = 1e-4
    """beta at the first timestep"""
    last: Positive = 0.02
    """beta at the last"""
    prediction: Literal["epsilon", "v_prediction", "sample"] = "epsilon"

    def config(self) -> dict[str, Any]:
        """As diffusers writes it."""
        return {
            "_class_name": "DDPMScheduler",
            "num_train_timesteps": self.timesteps,
            "beta_schedule": self.betas,
            "beta_start": self.first,
            "beta_end": self.last,
            "prediction_type": self.prediction,
            "clip_sample": False,
        }
