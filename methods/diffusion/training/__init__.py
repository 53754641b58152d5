"""Training and fine-tuning a noise predictor: options, the loop, and which weights are changed."""
