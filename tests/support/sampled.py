"""Latents drawn from a diffusion model, for tests that look at the sampler."""

from ddbench.methods.diffusion.denoise import denoise
from ddbench.methods.diffusion.noise import SetNoise


def sampled(model, names, n, sampler, seed=0, guide=None, means=None, begun=None):
    """``n`` latents of each of the classes ``names``: (K, n, C, H, W)."""
    return denoise(model, SetNoise(seed, names, range(n), model.latent_shape), sampler, guide, means, begun)
