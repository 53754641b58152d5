"""What moves the latents of a class while they are denoised: CGS and what goes beyond it, IGD, MGD3."""
