"""Reading models of diffusers so that every weight is the checkpoint's own."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from ddbench.errors import BenchError
from ddbench.methods.diffusion.checkpoints.look import Check
from ddbench.methods.diffusion.checkpoints.parts import weight_files


def load_model(cls: Any, source: str, check: Check, part: str = "") -> Any:
    """The model of diffusers' class ``cls`` at ``source`` (a folder or a hub id) in the sub-folder ``part``: float32,
    on the CPU, in evaluation mode.

    Raises BenchError when ``check`` refuses its configuration, it cannot be read, or a weight is missing, unknown or of
    another shape; diffusers would go on with uninitialised memory. ``.bin`` files are read with weights_only=True.
    """
    folder = Path(source).expanduser()
    local = folder.is_dir()
    where = str(folder / part) if local else f"{source}/{part}".rstrip("/")
    place = {"pretrained_model_name_or_path": str(folder) if local else source, "subfolder": part or None}
    try:
        if problems := check(cls.load_config(**place), where):
            raise BenchError(" ".join(problems))
        files = weight_files(folder / part) if local else None
        chosen = {"variant": files.variant, "use_safetensors": files.safe} if files else {}
        # low_cpu_mem_usage=False copies the weights into float32, whatever the precision of the file.
        model, info = cls.from_pretrained(**place, **chosen, low_cpu_mem_usage=False, output_loading_info=True)
    except (OSError, ValueError, RuntimeError, KeyError, pickle.UnpicklingError) as error:
        raise BenchError(f"the {cls.__name__} at {where} cannot be loaded: {_line(error)}") from None
    wrong = {kind: info[f"{kind}_keys"] for kind in ("missing", "unexpected", "mismatched")}
    if any(wrong.values()) or info.get("error_msgs"):
        named = "; ".join(f"{kind}: {_names(keys)}" for kind, keys in wrong.items() if keys)
        raise BenchError(
            f"the weights in {where} are not those of its {cls.__name__}: {named or _line(info['error_msgs'])}."
        )
    return model.float().eval()


def _names(keys: Any) -> str:
    names = [key if isinstance(key, str) else str(key[0]) for key in sorted(keys)]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _line(error: Any) -> str:
    return " ".join(str(error).split())[:300]
