"""What judges a distilled set: networks, augmentation, protocols and the training loop."""
