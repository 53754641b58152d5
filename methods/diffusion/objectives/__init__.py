"""What fine-tuning adds to the denoising loss: RSM, Minimax, or nothing."""
