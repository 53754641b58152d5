"""How networks are computed: the options of precision and compilation, and what they mean, in one place for training,
sampling, autoencoders and judging.

fp32: every product in float32, on any device. tf32: matrix products and convolutions in TF32 where a GPU has it, and
float32 elsewhere. bf16: the network in bfloat16. Losses, optimisers, the arithmetic of a sampler, guidance and
determinants are float32 under each of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING

from ddbench import paths
from ddbench.errors import BenchError

if TYPE_CHECKING:
    import torch

    from ddbench.hyperparameters import Compilation, Precision

BACKEND = "inductor"
"""torch's compiler"""
SHAPES = 10_000
"""shapes of batches for which a block may be compiled in the life of a process; beyond torch's own 8 it would be
computed without compilation, with other bits, depending on what the process did before"""
CACHE = "TORCHINDUCTOR_CACHE_DIR"


def dtype_of(precision: Precision) -> torch.dtype:
    """The type of a network's weights."""
    import torch

    return torch.bfloat16 if precision == "bf16" else torch.float32


@contextmanager
def products(precision: Precision) -> Iterator[None]:
    """Float32 products on a GPU in TF32 with ``tf32``, else in full float32; what was set before is put back."""
    import torch

    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


@contextmanager
def weights_in(network: torch.nn.Module, precision: Precision) -> Iterator[None]:
    """The weights and buffers of ``network`` in the type of ``precision`` within the block, cast once; put back, as
    they were, at its end."""
    if precision != "bf16":
        yield
        return
    dtype = dtype_of(precision)
    tensors = [t for t in (*network.parameters(), *network.buffers()) if t.is_floating_point() and t.dtype != dtype]
    before = [tensor.data for tensor in tensors]
    for tensor in tensors:
        tensor.data = tensor.data.to(dtype)
    try:
        yield
    finally:
        for tensor, data in zip(tensors, before, strict=True):
            tensor.data = data


def compile_blocks(blocks: Iterable[torch.nn.Module], compilation: Compilation) -> None:
    """With ``blocks``, compile each of ``blocks`` in place when it is first called; one compilation serves equal ones.

    A shape is compiled for itself, so that a batch has the same bits whatever was computed before it.
    """
    if compilation == "blocks":
        for block in blocks:
            block.compile(backend=BACKEND, dynamic=False)


@contextmanager
def compiled(blocks: Iterable[torch.nn.Module], compilation: Compilation) -> Iterator[None]:
    """``compile_blocks`` within the block alone."""
    blocks = list(blocks)
    compile_blocks(blocks, compilation)
    try:
        yield
    finally:
        if compilation == "blocks":
            for block in blocks:
                block._compiled_call_impl = None


@contextmanager
def compiler(compilation: Compilation) -> Iterator[None]:
    """Within the block torch's compiler chooses no kernel by timing it, so that bits do not depend on a stopwatch,
    compiles as many shapes as there are, and keeps what it compiled, which is executable code, in the user's own cache
    folder."""
    if compilation != "blocks":
        yield
        return
    import torch._dynamo.config
    import torch._inductor.config

    limits = {"recompile_limit": SHAPES, "accumulated_recompile_limit": SHAPES}
    chosen = {"deterministic": True} if hasattr(torch._inductor.config, "deterministic") else {}
    with ExitStack() as undo:
        undo.enter_context(_cache_folder())
        undo.enter_context(torch._dynamo.config.patch(limits))
        undo.enter_context(torch._inductor.config.patch(chosen))
        yield


@contextmanager
def _cache_folder() -> Iterator[None]:
    before = os.environ.get(CACHE)
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.environ[CACHE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[CACHE]
        else:
            os.environ[CACHE] = before


def cache_folder() -> Path:
    """Where compiled code is kept: TORCHINDUCTOR_CACHE_DIR, or a folder in the user's cache folder (XDG_CACHE_HOME).

    torch's own default lies in the machine's folder for temporary files, under a name that anybody can guess; torch
    writes it into the variable as soon as it is asked for, so that it does not count as given.
    """
    given = Path(os.environ.get(CACHE) or "")
    if given.name and (given.parent, given.name.partition("_")[0]) != (Path(gettempdir()), "torchinductor"):
        return given
    folder = paths.cache_folder()
    if folder is None:
        raise RuntimeError(f"this account has no home folder, where compiled code is kept: set {CACHE}")
    return folder / "inductor"


def check_cache(store: Path) -> None:
    """Raises BenchError where compiled code would lie in the folder ``store`` of a store, which others read."""
    folder = cache_folder().expanduser().resolve()
    if folder.is_relative_to(store.resolve()):
        raise BenchError(
            f"compiled code would be kept in {folder}, inside the store {store}: it is executable, and a store is "
            f"data that others may copy. Unset {CACHE}, or let it name a folder of your own."
        )
