"""Tiny random pipelines in the layout of facebook/DiT-XL-2-256, and what diffusers itself draws from them."""

from unittest import mock

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, DDIMScheduler, DiTPipeline, DiTTransformer2DModel

from ddbench.methods.diffusion.noise import image_noise

DIT = {
    "num_attention_heads": 2,
    "attention_head_dim": 8,
    "in_channels": 4,
    "out_channels": 8,  # noise and learned variance
    "num_layers": 4,
    "sample_size": 8,
    "patch_size": 2,
    "num_embeds_ada_norm": 1000,
    "norm_num_groups": 1,
}
KL = {
    "block_out_channels": (8, 8),
    "down_block_types": ("DownEncoderBlock2D",) * 2,
    "up_block_types": ("UpDecoderBlock2D",) * 2,
    "latent_channels": 4,
    "norm_num_groups": 4,
    "scaling_factor": 0.18215,
}
TINY = {
    "encoder_block_out_channels": (8, 8),
    "decoder_block_out_channels": (8, 8),
    "num_encoder_blocks": (1, 1),
    "num_decoder_blocks": (1, 1),
}


def seeded(cls, **config):
    """A model of diffusers with random weights, always the same."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return cls(**config).eval()


def tiny_pipeline(channels=4, tiny=False, dit=None, scheduler=None):
    """A pipeline for images of 16 px, in latents of 8 x 8; ``tiny``: with an AutoencoderTiny."""
    transformer = seeded(
        DiTTransformer2DModel, **{**DIT, "in_channels": channels, "out_channels": 2 * channels, **(dit or {})}
    )
    vae = seeded(AutoencoderTiny, **TINY) if tiny else seeded(AutoencoderKL, **{**KL, "latent_channels": channels})
    return DiTPipeline(transformer, vae, scheduler or DDIMScheduler(clip_sample=False))


def drawn_by_diffusers(folder, names, ids, n, seed, **options):
    """uint8 images (len(names) * n, 3, H, W) of DiTPipeline from the noise that this harness gives to them.

    ``options`` are those of the pipeline's call.
    """
    import diffusers.pipelines.dit.pipeline_dit as module

    pipeline = DiTPipeline.from_pretrained(folder, low_cpu_mem_usage=False)
    pipeline.set_progress_bar_config(disable=True)
    config = pipeline.transformer.config
    shape = (config.in_channels, config.sample_size, config.sample_size)
    noise = torch.stack([image_noise(seed, name, i, 1, shape)[0] for name in names for i in range(n)])
    labels = [number for number in ids for _ in range(n)]
    with mock.patch.object(module, "randn_tensor", lambda *args, **kwargs: noise):
        images = pipeline(labels, output_type="np", **options).images
    return torch.from_numpy((images * 255).round()).to(torch.uint8).permute(0, 3, 1, 2)
