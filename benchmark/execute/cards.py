"""The cards of this machine, seen without starting CUDA, and what a study asks of them: told before any work."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ddbench.computing import check_cache
from ddbench.errors import BenchError
from ddbench.execute.demand import Demand
from ddbench.stages.gpu import CONTEXT_MIB
from ddbench.stages.hardware import compiles, options_of

if TYPE_CHECKING:
    from ddbench.config.schema import Resources
    from ddbench.plan.graph import Stage

QUERY = ("name", "memory.total", "memory.free")
BF16_SINCE = (8, 0)
"""compute capability of the first cards that multiply in bfloat16 (Ampere)"""


@dataclass(frozen=True)
class Card:
    """A card that this process may use. Memory is in MiB."""

    name: str
    total: float
    free: float


def cards() -> list[Card]:
    """The cards, by nvidia-smi, which CUDA_VISIBLE_DEVICES leaves; empty where it does not tell."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible == "":
        return []
    chosen = ["-i", visible] if visible else []
    command = ["nvidia-smi", *chosen, f"--query-gpu={','.join(QUERY)}", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return read_cards(told)


def read_cards(told: str) -> list[Card]:
    """The lines ``name, MiB, MiB`` of nvidia-smi; lines of another form are left out (``[N/A]`` under MIG)."""
    found = []
    for line in told.splitlines():
        name, _, numbers = line.partition(",")
        total, _, free = numbers.partition(",")
        if total.strip().isdigit() and free.strip().isdigit():
            found.append(Card(name.strip(), float(total), float(free)))
    return found


def smallest(found: Iterable[Card]) -> float:
    """Memory of the smallest card, MiB; 0 where none is known."""
    return min((card.total for card in found), default=0.0)


def check_hardware(stages: Iterable[Stage], demand: Demand, found: Iterable[Card], store: Path | str) -> None:
    """Raises BenchError when this machine cannot run ``stages``: no card, too few, too old for bf16, full, or no
    compiler for ``compile: blocks``. Nothing is imported where no stage asks for a card or a compiler."""
    stages = [stage for stage in stages if "skipped" not in stage.task]
    on_card = [stage for stage in stages if stage.task["device"] == "cuda"]
    compiled = [stage for stage in stages if compiles(stage.task)]
    if compiled:
        check_compiler(compiled[0].task["device"], compiled[0].label)
        if "://" not in str(store):
            check_cache(Path(store).expanduser())
    if not on_card:
        return
    import torch

    if not torch.cuda.is_available():
        raise BenchError(no_card())
    check_count(demand.configured, torch.cuda.device_count())
    if any("bf16" in options_of(stage.task, "precision") for stage in on_card):
        capabilities = [torch.cuda.get_device_capability(k) for k in range(torch.cuda.device_count())]
        check_bf16(capabilities, [torch.cuda.get_device_name(k) for k in range(len(capabilities))])
    check_free(on_card, demand, list(found))


def no_card() -> str:
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    why = f" (CUDA_VISIBLE_DEVICES is {hidden!r})" if hidden is not None else ""
    return f"the configuration says device: cuda and torch sees no GPU{why}. Use --set device=cpu"


def check_count(configured: Mapping[str, Resources], there: int) -> None:
    """Raises BenchError when a kind of stage asks for more cards than there are."""
    for kind, asked in configured.items():
        if asked.gpus is not None and asked.gpus > there:
            raise BenchError(
                f"resources.{kind}.gpus is {asked.gpus:g}, and this machine has {there}: "
                f"use --set resources.{kind}.gpus={there}, or join a cluster with --ray-address."
            )


def check_bf16(capabilities: list[tuple[int, int]], names: list[str]) -> None:
    """Raises BenchError for a card that does not multiply in bfloat16."""
    for capability, name in zip(capabilities, names, strict=True):
        if capability < BF16_SINCE:
            raise BenchError(
                f"precision: bf16 needs a card of compute capability 8.0 or more, and {name} has "
                f"{capability[0]}.{capability[1]}: use precision: fp32 (compute.precision, sampler.precision, "
                "training.precision, dm.precision and those of autoencoders)."
            )


def check_free(stages: list[Stage], demand: Demand, found: list[Card]) -> None:
    """Raises BenchError when no card has room for the stage that needs most by what is measured or declared, or, where
    nothing is, for a process at all."""
    needs = {stage.label: demand.card_memory(stage) or CONTEXT_MIB for stage in stages}
    label, most = max(needs.items(), key=lambda item: item[1])
    if not found or any(card.free >= most for card in found):
        return
    fullest = max(found, key=lambda card: card.free)
    raise BenchError(
        f"{label} needs about {most / 1024:.1f} GiB of a card, and {fullest.name} has {fullest.free / 1024:.1f} of "
        f"{fullest.total / 1024:.1f} GiB free: end the processes that hold the rest (nvidia-smi names them), or choose "
        "another card with CUDA_VISIBLE_DEVICES."
    )


def check_compiler(device: str, label: str) -> None:
    """Raises BenchError where torch's compiler has nothing to compile with: on a CPU a C++ compiler, on a card Triton
    and a C compiler."""
    tools = [os.environ.get("CXX", "g++")] if device == "cpu" else [os.environ.get("CC", "gcc"), "clang"]
    lacks = [] if any(shutil.which(tool) for tool in tools) else [f"{' or '.join(tools)}"]
    if device == "cuda" and find_spec("triton") is None:
        lacks.append("the package triton")
    if lacks:
        raise BenchError(
            f"{label} has compile: blocks, which needs {' and '.join(lacks)}, not found here: install it, or use "
            "compile: none."
        )
