"""The number of processors that this process is allowed to use, which may be a part of the machine's.

Slurm, taskset and containers give a job a part of a machine, by its affinity, a cpuset or a quota of its control group;
work for all processors of the machine would then run several times slower than on those allowed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

MOUNT = "sys/fs/cgroup"


def allowed_processors(root: Path | str = "/") -> int:
    """Processors in the affinity, but no more than the quotas and cpusets of the control group and those above it.

    A quota of 2.5 processors counts as 2, one below 1 as 1. ``root`` is the folder that holds ``proc`` and ``sys``.
    """
    allowed = float(len(os.sched_getaffinity(0)))
    for folder in _groups(Path(root)):
        allowed = min([allowed, *_limits(folder)])
    return max(1, int(allowed))


def _groups(root: Path) -> Iterator[Path]:
    """The folders of the control groups, version 1 and 2, that this process is in, and of all above them.

    Inside a container the path may be that of the host, below which the mount shows the container's own group alone:
    folders that are not there are skipped, and the mount itself comes last.
    """
    for line in (_text(root / "proc/self/cgroup") or "").splitlines():
        _, controllers, path = line.split(":", 2)
        names = controllers.split(",")
        if controllers and not {"cpu", "cpuset"} & set(names):
            continue
        # Version 2 has no controllers in its line, and is mounted alone or, beside version 1, as "unified".
        mounts = [root / MOUNT / name for name in ([controllers, *names] if controllers else ["", "unified"])]
        for mount in mounts:
            group = mount / path.strip("/")
            yield from (folder for folder in (group, *group.parents) if folder.is_relative_to(mount))


def _limits(folder: Path) -> Iterator[float]:
    """The limits, in processors, that the files of a control group state."""
    quota, period = _text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")
    if not (quota and period):
        quota, _, period = (_text(folder / "cpu.max") or "").partition(" ")
    if _positive(quota) and _positive(period):
        yield int(quota) / int(period)
    for name in ("cpuset.cpus.effective", "cpuset.effective_cpus", "cpuset.cpus"):
        if ranges := _text(folder / name):
            yield float(sum(_length(one) for one in ranges.split(",")))
            return


def _length(numbers: str) -> int:
    """How many numbers ``0-3`` or ``5`` stands for."""
    first, _, last = numbers.partition("-")
    return int(last or first) - int(first) + 1


def _positive(text: str | None) -> bool:
    return bool(text) and str(text).isdigit() and int(str(text)) > 0


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
