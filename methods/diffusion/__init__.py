"""The diffusion family: prior, fine-tuning objectives, guidance and sampler, composed into methods."""
