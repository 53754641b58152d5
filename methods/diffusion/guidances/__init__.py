"""What moves the latents of a class while they are denoised: CGS, IGD, MGD3."""
