"""Provenance of records and artifacts: versions, commit and hardware."""

from __future__ import annotations

import platform
import subprocess
import sys
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ddbench.plugins.loaded import loaded
from ddbench.processors import allowed_processors

PACKAGES = ("dataset-distillation-bench", "torch", "torchvision", "diffusers", "timm", "ray", "numpy", "scikit-learn")


def provenance() -> dict[str, Any]:
    """Versions, the harness's git commit and whether it had uncommitted changes, processor and allowed cores; and the
    plug-ins that this process has imported, with their digests."""
    return {**_fixed(), "plugins": loaded()}


@lru_cache
def _fixed() -> dict[str, Any]:
    return {
        "python": sys.version.split()[0],
        "packages": {name: installed for name in PACKAGES if (installed := _version(name))},
        "git": _git(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": allowed_processors(),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git() -> dict[str, Any] | None:
    """Commit and dirty flag of the checkout that this file is in; None when it is installed from elsewhere."""
    folder = Path(__file__).parent

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()

    try:
        if git("ls-files", Path(__file__).name) != Path(__file__).name:
            return None
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain", "--", ":/"))}
    except (OSError, subprocess.SubprocessError):
        return None


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()
