"""Process-wide settings of torch and numpy, each read only in a process that has imported the library."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ddbench.isolation.settings import Setting, drawn, from_to

if TYPE_CHECKING:
    import numpy as np
    import numpy.random as np_random
    import torch
else:

    class _Imported:
        """The library of this name, which is imported already where a setting of it is read."""

        def __init__(self, name: str) -> None:
            self.name = name

        def __getattr__(self, attribute: str) -> Any:
            return getattr(sys.modules[self.name], attribute)

    torch, np, np_random = _Imported("torch"), _Imported("numpy"), _Imported("numpy.random")

DEVICES = ("cpu", "cuda")
GPUS = "torch's generators of GPUs"

PRECISIONS = ("cuda.matmul", "cudnn.conv", "cudnn.rnn", "mkldnn.matmul", "mkldnn.conv", "mkldnn.rnn")
"""places in torch.backends whose ``fp32_precision`` says in what format float32 numbers are multiplied"""

FLAGS = (
    "cuda.matmul.allow_fp16_reduced_precision_reduction",
    "cuda.matmul.allow_bf16_reduced_precision_reduction",
    "cudnn.enabled",
    "cudnn.benchmark",
    "cudnn.deterministic",
    "mkldnn.enabled",
)
"""switches in torch.backends"""

ATTENTION = ("flash", "mem_efficient", "math", "cudnn")
"""implementations of attention that torch may choose from on a GPU"""

_inference: list[Any] = []
"""contexts that ended a leaked inference mode; it would come back if they were freed"""


def _at(place: str) -> Any:
    value: Any = torch.backends
    for part in filter(None, place.split(".")):
        value = getattr(value, part)
    return value


def _flag(place: str) -> Setting:
    owner, _, name = place.rpartition(".")

    def restore(on: Any) -> None:
        setattr(_at(owner), name, on)

    return Setting(f"torch.backends.{place}", lambda: _at(place), restore, library="torch")


def _attention(kind: str) -> Setting:
    def read() -> bool:
        return bool(getattr(torch.backends.cuda, f"{kind}_sdp_enabled")())

    return Setting(
        f"torch's {kind} attention",
        read,
        lambda on: getattr(torch.backends.cuda, f"enable_{kind}_sdp")(on),
        library="torch",
    )


def _precision() -> dict[str, str]:
    """Place -> the format in which it multiplies; a place without one of its own has that of the places above it."""
    found = {place: next((kind for kind in _kinds(place) if kind != "none"), "ieee") for place in PRECISIONS}
    return {**found, "all": _at("").fp32_precision}


def _kinds(place: str) -> Iterator[str]:
    while place:
        yield getattr(_at(place), "fp32_precision", "none")
        place = place.rpartition(".")[0]
    yield _at("").fp32_precision


def _to_precision(before: dict[str, str]) -> None:
    """Through both of torch's interfaces, since the older one raises while the newer one contradicts it."""
    _at("").fp32_precision = before["all"]
    matmul = before["cuda.matmul"], before["mkldnn.matmul"]
    torch.set_float32_matmul_precision(
        "highest" if matmul == ("ieee", "ieee") else "medium" if "bf16" in matmul else "high"
    )
    torch.backends.cudnn.allow_tf32 = before["cudnn.conv"] == "tf32"
    now = _precision()
    for place in PRECISIONS:
        if now[place] != before[place]:
            _at(place).fp32_precision = before[place]


def _precision_changed(before: dict[str, str], after: dict[str, str]) -> str:
    return ", ".join(f"{place} {before[place]} -> {after[place]}" for place in before if before[place] != after[place])


def _deterministic() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


def _to_deterministic(before: tuple[bool, bool]) -> None:
    torch.use_deterministic_algorithms(before[0], warn_only=before[1])


def _to_inference(on: bool) -> None:
    mode = torch.inference_mode(on)
    mode.__enter__()
    _inference.append(mode)


def _default_device() -> str:
    return str(torch.get_default_device())


def _to_default_device(before: str) -> None:
    torch.set_default_device(None)
    if _default_device() != before:
        torch.set_default_device(before)


def _autocast() -> tuple[Any, ...]:
    each = ((name, torch.is_autocast_enabled(name), str(torch.get_autocast_dtype(name))) for name in DEVICES)
    return (*each, torch.is_autocast_cache_enabled())


def _to_autocast(before: tuple[Any, ...]) -> None:
    *each, cached = before
    for name, enabled, kind in each:
        torch.set_autocast_enabled(name, enabled)
        torch.set_autocast_dtype(name, getattr(torch, kind.removeprefix("torch.")))
    torch.set_autocast_cache_enabled(cached)


def _flushes() -> bool:
    """Whether numbers below the normal range become zero: torch sets this and has no way to ask."""
    return bool((torch.full((), 1e-310, dtype=torch.float64, device="cpu") * 1).item() == 0)


def _cuda_states() -> list[bytes] | None:
    """None while CUDA is not in use, which reading would start."""
    if not torch.cuda.is_initialized():
        return None
    return [state.numpy().tobytes() for state in torch.cuda.get_rng_state_all()]


def _to_cuda_states(before: list[bytes] | None) -> None:
    for device, state in enumerate(before or ()):
        torch.cuda.set_rng_state(_bytes(state), device)


def _bytes(state: bytes) -> torch.Tensor:
    return torch.frombuffer(bytearray(state), dtype=torch.uint8)


def _numpy_generator() -> tuple[Any, ...]:
    state: Any = np_random.get_state()
    kind, keys, *rest = state
    return (kind, keys.tobytes(), *rest)


def _to_numpy_generator(before: tuple[Any, ...]) -> None:
    kind, keys, *rest = before
    np_random.set_state((kind, np.frombuffer(keys, dtype=np.uint32), *rest))


def _to_errors(before: dict[str, Any]) -> None:
    np.seterr(**before)


def _settings() -> Iterator[Setting]:
    def torchs(name: str, read: Any, restore: Any, tell: Any = from_to, by_thread: bool = False) -> Setting:
        return Setting(name, read, restore, tell, library="torch", by_thread=by_thread)

    yield torchs("torch's default dtype", lambda: torch.get_default_dtype(), lambda kind: torch.set_default_dtype(kind))
    yield torchs("torch's default device", _default_device, _to_default_device, by_thread=True)
    yield torchs("torch's inference mode", lambda: torch.is_inference_mode_enabled(), _to_inference, by_thread=True)
    yield torchs(
        "torch's grad mode", lambda: torch.is_grad_enabled(), lambda on: torch.set_grad_enabled(on), by_thread=True
    )
    yield torchs("torch's threads", lambda: torch.get_num_threads(), lambda n: torch.set_num_threads(n))
    yield torchs("torch's deterministic algorithms", _deterministic, _to_deterministic)
    yield torchs("torch's float32 precision", _precision, _to_precision, _precision_changed)
    yield torchs("torch's autocast", _autocast, _to_autocast, by_thread=True)
    yield torchs("torch's flush of denormal numbers", _flushes, lambda on: torch.set_flush_denormal(on), by_thread=True)
    yield torchs(
        "torch's anomaly detection",
        lambda: (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()),
        lambda before: torch.autograd.set_detect_anomaly(*before),
    )
    yield from map(_flag, FLAGS)
    yield from map(_attention, ATTENTION)
    yield torchs(
        "torch's generator",
        lambda: torch.get_rng_state().numpy().tobytes(),
        lambda state: torch.set_rng_state(_bytes(state)),
        drawn,
    )
    yield torchs(GPUS, _cuda_states, _to_cuda_states, drawn)
    yield Setting("numpy's generator", _numpy_generator, _to_numpy_generator, drawn, "numpy.random")
    yield Setting("numpy's handling of errors", lambda: np.geterr(), _to_errors, library="numpy")
    yield Setting(
        "numpy's print options",
        lambda: np.get_printoptions(),
        lambda kept: np.set_printoptions(**kept),
        lambda before, after: "changed",
        "numpy",
    )


LIBRARIES: tuple[Setting, ...] = tuple(_settings())
"""in the order in which they are put back: leaving inference mode sets the grad mode"""
