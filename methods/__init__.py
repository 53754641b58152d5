"""Distillation methods: a file (or folder) for each family, and the catalog of named ones."""
