"""Estimates of rates that nobody measured, from measured rates of the same work at another size or with other options.

Each says how it was made, and what it is made of is measured on a card: there is none where no rule fits. Rules:

- DM at another IPC: by the images that pass the network in an iteration, synthetic ones counted twice, since the
  gradient by them costs about what their features do.
- DiffFit in TF32: that of bf16 under autocast, where launches of kernels take longer than the arithmetic in TF32 by the
  rate of sampling with the same network would (three passes forward for each image of the batch).
- A small DiT trained with another batch: the measured step, as many times as the batch is larger, a bound from above
  since launches of kernels take part of the step; in TF32 at most what it takes in fp32. Its fine-tuning: as training.
- A classifier in bf16 or compiled: that of TF32 without compilation, a bound from above.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ddbench.results.rates import Rate

Known = Mapping[tuple[str, str, str], Rate]
"""(work, precision, compile) -> its rate"""

DM = re.compile(r"(?P<what>dm .+, IPC )(?P<ipc>\d+)(?P<with>, (?P<classes>\d+) classes of (?P<real>\d+))")
TRAIN = re.compile(r"(?P<what>train DiT .+, batch )(?P<batch>\d+)")
TUNE_SMALL = re.compile(r"tune (?P<network>DiT \d+ x \d+ on \d+ tokens) by \w+, batch (?P<batch>\d+)")
TUNE = re.compile(r"tune (?P<network>.+) by \w+, batch (?P<batch>\d+)")


@dataclass(frozen=True)
class Scaled:
    seconds: float
    """of one unit"""
    rate: Rate
    """that which was measured"""
    how: str


def scaled(work: str, options: tuple[str, str], known: Known) -> Scaled | None:
    """An estimate of the rate of ``work`` with ``options`` (precision, compilation); None where nothing supports it."""
    if match := DM.fullmatch(work):
        return _dm(match, options, known)
    if match := TUNE_SMALL.fullmatch(work):
        return _training(f"train {match['network']}, batch ", int(match["batch"]), options, known, " of training it")
    if match := TRAIN.fullmatch(work):
        return _training(match["what"], int(match["batch"]), options, known)
    if match := TUNE.fullmatch(work):
        return _tuning(work, match, options, known)
    bound = known.get((work, "tf32", "none"))
    if work.startswith("judge ") and options[0] == "bf16" and bound:
        return Scaled(bound.seconds, bound, "at most the rate in tf32 without compilation")
    return None


def _dm(match: re.Match[str], options: tuple[str, str], known: Known) -> Scaled | None:
    real, classes = int(match["real"]), int(match["classes"])

    def images(ipc: int) -> int:
        return classes * (real + 2 * ipc)

    sizes = []
    for (name, *way), rate in known.items():
        other = DM.fullmatch(name)
        if other and tuple(way) == options and (other["what"], other["with"]) == (match["what"], match["with"]):
            sizes.append((abs(int(other["ipc"]) - int(match["ipc"])), int(other["ipc"]), rate))
    if not sizes:
        return None
    _, ipc, rate = min(sizes, key=lambda size: size[:2])
    here, there = images(int(match["ipc"])), images(ipc)
    how = f"by images that pass forward and back, {here:,} for {there:,} at IPC {ipc}"
    return Scaled(rate.seconds * here / there, rate, how)


def _training(what: str, batch: int, options: tuple[str, str], known: Known, more: str = "") -> Scaled | None:
    for way in (options, ("fp32", "none")) if options == ("tf32", "none") else (options,):
        sizes = [
            (int(name.removeprefix(what)), rate)
            for (name, *other), rate in known.items()
            if tuple(other) == way and name.startswith(what)
        ]
        if sizes:
            measured, rate = min(sizes, key=lambda size: abs(size[0] - batch))
            times = max(1.0, batch / measured)
            how = f"at most {times:.3g} times a step{more} with batch {measured} in {way[0]}"
            return Scaled(rate.seconds * times, rate, how)
    return None


def _tuning(work: str, match: re.Match[str], options: tuple[str, str], known: Known) -> Scaled | None:
    launched = known.get((work, "bf16", "none"))
    sampled = known.get((f"sample {match['network']}", "tf32", "none"))
    if options != ("tf32", "none") or not launched or not sampled:
        return None
    arithmetic = 3 * int(match["batch"]) * sampled.seconds / 2  # a guided step is two passes
    if arithmetic > launched.seconds:
        return None
    how = f"that of bf16 under autocast, which launches bound: by FLOPs, tf32 takes {arithmetic:.3f} s"
    return Scaled(launched.seconds, launched, how)
