"""Distilled images made by other code and kept as normalised floats, as a method of a study."""

from __future__ import annotations

from dataclasses import dataclass

from ddbench.methods.external import ExternalImages


@dataclass(frozen=True)
class ExternalTensors(ExternalImages):
    """Images read from a file of tensors; a class of its own, so that sets of image files keep their keys."""

    mean: tuple[float, ...] = ()
    """what the floats were normalised with, one number or one for each channel; empty for 8-bit levels"""
    sd: tuple[float, ...] = ()
