"""Figures of a study: drawn once, for files and for the report."""
