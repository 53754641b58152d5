"""Distilled sets that others made: a folder of images, a Hugging Face dataset or parquet files enters.

``LabeledImages`` held to a dataset's classes and shape leave.
"""
