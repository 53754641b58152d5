"""Distilled sets that others made: image folders, Hugging Face datasets, parquet files, files of tensors.

``LabeledImages`` held to a dataset's classes and shape leave.
"""
