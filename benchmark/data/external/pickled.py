"""Loading a ``.pt`` file without running code of it."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

from ddbench.errors import BenchError

NUMPY_NUMBERS = ("Float16", "Float32", "Float64", "Int8", "Int16", "Int32", "Int64", "UInt8", "Bool")
"""kinds of numpy scalars that such files hold: accuracies beside the images"""


def load_pt(path: Path) -> Any:
    """The object in ``path``: tensors, numbers, text, and lists and dicts of these, on the CPU.

    Numpy scalars are allowed besides what torch allows, for this file alone. Raises BenchError for a file that holds
    anything else, which only code of the file could restore, and for a damaged one.
    """
    import numpy as np
    import torch
    from numpy._core import multiarray

    # A scalar is restored by one function, under the name of the numpy release that wrote it.
    scalar = [(multiarray.scalar, f"{package}.multiarray.scalar") for package in ("numpy.core", "numpy._core")]
    kinds = [getattr(np.dtypes, f"{kind}DType") for kind in NUMPY_NUMBERS]
    try:
        with torch.serialization.safe_globals([*scalar, np.dtype, *kinds]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        if named:
            raise BenchError(
                f"{path} holds {named[1]}, which could run code when it is loaded: refused. Save the tensors alone: "
                'torch.save({"images": images, "labels": labels}, FILE).'
            ) from None
        why = str(error).partition(". ")[0].partition("\n")[0].strip(" .")
        raise BenchError(
            f"{path} cannot be read as a file of tensors: {why or type(error).__name__}. Save the tensors alone: "
            'torch.save({"images": images, "labels": labels}, FILE).'
        ) from None
