"""What methods and protocols both train with: teachers, and augmentations that both apply."""
