"""Where the diffusion model comes from: trained from scratch, or loaded from a diffusers pipeline."""
