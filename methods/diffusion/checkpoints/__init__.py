"""Downloaded models: where their files are, whether they are what they say, and reading them."""
