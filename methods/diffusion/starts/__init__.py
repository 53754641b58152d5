"""What sampling starts from when it does not start at pure noise."""
