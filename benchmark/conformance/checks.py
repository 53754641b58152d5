"""The rules of `bench check`: for each a function that finds a violation, and advice on what to do about it."""

from __future__ import annotations

import math
import pickle
import random
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from ddbench.config.fields import places_of
from ddbench.config.values import nested, override
from ddbench.conformance.guards import Touched, gradients, no_data
from ddbench.conformance.preparations import preparations_repeat, process_seeded
from ddbench.conformance.travel import lost_on_the_way
from ddbench.conformance.under_test import MethodUnderTest
from ddbench.errors import InvalidOutput
from ddbench.hyperparameters import MemoryOnly
from ddbench.images import LabeledImages
from ddbench.plugins.loaded import changes_at_import
from ddbench.stages.attempt import measure_from_here, peaks
from ddbench.store.distilled import check_distilled, only_classes

GREY_LEVELS = 1
"""by how much pixels may differ when only the order of a sum differs"""

SEEDS = (0, 1, 232792560)
"""seeds that must give different images; the last is a multiple of all numbers up to 20, so that a method that uses a
seed modulo one of them makes the images of seed 0"""

NEARLY = 0.05
"""fraction of pixels in which at least one image must differ for another seed"""

UNTRIED = 7
"""a seed that no other check uses"""

MICRO_BATCHES = (1, 3)
"""values that are tried for options marked MemoryOnly"""


@dataclass(frozen=True)
class Check:
    """A rule. ``find`` returns what is wrong, or an empty string."""

    name: str
    find: Callable[[Any], str]
    advice: str
    first: bool = False
    """whether the other rules cannot be tried when this one is broken"""


def _format(subject: MethodUnderTest) -> str:
    for ipc in (1, subject.most):
        try:
            images = subject.distil(ipc)
            check_distilled(images, subject.real.classes, subject.real.shape, ipc)
        except InvalidOutput as error:
            return f"at ipc {ipc}: {error}"
    return ""


def _same_seed(subject: MethodUnderTest) -> str:
    first, again = subject.distil(), subject.distil()
    return "" if _equal(first, again) else "two calls with one seed give different images"


def _other_process(subject: MethodUnderTest) -> str:
    if subject.distil().digest() == subject.elsewhere(2, 0):
        return ""
    return "another process makes other images with the same seed, in the stages of a run"


def _other_seed(subject: MethodUnderTest) -> str:
    sets = {seed: subject.distil(seed=seed) for seed in SEEDS}
    for (a, one), (b, other) in combinations(sets.items(), 2):
        if not _equal(one, other):
            moved = ((one.images.short() - other.images.short()).abs() > GREY_LEVELS).float().flatten(1).mean(1)
            if float(moved.max()) <= NEARLY:
                return f"seeds {a} and {b} give nearly the same images"
        elif _takes_the_first(subject, one):
            return "it takes the first images of each class as they are stored: that is no draw"
        else:
            return f"seeds {a} and {b} give the same images"
    return ""


def _takes_the_first(subject: MethodUnderTest, chosen: LabeledImages) -> bool:
    first = [subject.real.of_class(k)[:2] for k in range(len(subject.real.classes))]
    return all(bool((chosen.of_class(k) == images).all()) for k, images in enumerate(first))


def _no_memory(subject: MethodUnderTest) -> str:
    before = subject.distil(ipc=2, seed=0)
    subject.distil(ipc=1, seed=1)
    changed = not _equal(before, subject.distil(ipc=2, seed=0))
    real = subject.real
    subject.distil(seed=UNTRIED, real=LabeledImages(255 - real.images, real.labels, real.classes))
    changed |= subject.distil(seed=UNTRIED).digest() != subject.elsewhere(2, UNTRIED)
    return "what was made before changes what is made next" if changed else ""


def _global_state(subject: MethodUnderTest) -> str:
    sets = []
    for seed in (1, 2):
        with process_seeded(seed):
            before = _states()
            sets.append(subject.distil())
            names = [name for name, a, b in zip(("random", "numpy", "torch"), before, _states(), strict=True) if a != b]
            if names:
                return f"it draws from the global generator of {names[0]}"
    return "" if _equal(*sets) else "its images depend on a global generator"


def _process_state(subject: MethodUnderTest) -> str:
    subject.distil()
    file = getattr(sys.modules.get(type(subject.method).__module__), "__file__", None)
    changes = [*changes_at_import(file), *subject.changed]
    return f"it changes {'; '.join(dict.fromkeys(changes))}" if changes else ""


def _states() -> tuple[bytes, ...]:
    import numpy as np
    import torch

    return tuple(pickle.dumps(s) for s in (random.getstate(), np.random.get_state(), torch.get_rng_state().tolist()))


def _untouched(subject: MethodUnderTest) -> str:
    pixels, labels = subject.real.images.clone(), subject.real.labels.clone()
    # Its own exceptions are found by other checks.
    with no_data(subject.folder) as touched, suppress(Touched, Exception):
        subject.distil()
    changed = not ((subject.real.images == pixels).all() and (subject.real.labels == labels).all())
    subject.real.images.copy_(pixels)
    subject.real.labels.copy_(labels)
    return touched[0] if touched else "it changes the real images in place" if changed else ""


def _travels(subject: MethodUnderTest) -> str:
    return lost_on_the_way(subject.method)


def _class_order(subject: MethodUnderTest) -> str:
    import torch

    real, names = subject.real, subject.real.classes
    turned = names[::-1]
    labels = torch.tensor([turned.index(name) for name in names])[real.labels]
    order = labels.argsort(stable=True)
    other = subject.distil(real=LabeledImages(real.images[order], labels[order], turned))
    return _differs(subject.distil(), other, "with the classes in another order")


def _batch_size(subject: MethodUnderTest) -> str:
    ipc = subject.most
    whole = subject.distil(ipc)
    for place in places_of(subject.method, MemoryOnly):
        for size in MICRO_BATCHES:
            other = replace(subject, method=override(subject.method, nested(place, size), "check"))
            if wrong := _differs(whole, other.distil(ipc), f"with {'.'.join(place)} = {size}"):
                return wrong
    if subject.method.separable:
        some = only_classes(subject.real, list(subject.real.classes[1:3]))
        return _differs(
            subject.distil(ipc, real=some, part=True), whole, "with fewer classes beside it, though it is separable"
        )
    return ""


def _memory(subject: MethodUnderTest) -> str:
    declared = subject.method.needs().memory_gib
    if not declared:
        return ""
    subject.distil()  # warm up: imports and preparations
    measure_from_here()
    before = peaks().get("peak_memory_mib", 0)
    subject.distil()
    taken = (peaks().get("peak_memory_mib", 0) - before) / 1024
    if taken > declared:
        return f"a handful of small images took {taken:.2g} GiB, and it declares {declared:g}"
    return ""


def _differs(one: LabeledImages, other: LabeledImages, when: str) -> str:
    """The first class whose images differ between ``one`` and ``other``, as a finding; empty when none does."""
    for k, name in enumerate(one.classes):
        a, b = one.of_class(k).short(), other.of_class(other.classes.index(name)).short()
        if a.shape != b.shape or int((a - b).abs().max()) > GREY_LEVELS:
            return f"{when}, class {name!r} gets other images"
    return ""


def _gradients(subject: MethodUnderTest) -> str:
    subject.prepared.clear()
    with gradients() as shapes:
        subject.distil()
    if shapes["not finite"]:
        return f"a gradient is not finite (a parameter of shape {shapes['not finite'][0]})"
    if shapes["idle"]:
        return f"{len(shapes['idle'])} trainable parameters get no gradient, one of shape {shapes['idle'][0]}"
    return ""


def _finite(subject: MethodUnderTest) -> str:
    subject.distil()
    odd = [name for name, value in subject.logged.items() if not math.isfinite(value)]
    return f"it logged {odd[0]} = {subject.logged[odd[0]]}" if odd else ""


def _equal(a: LabeledImages, b: LabeledImages) -> bool:
    return a.images.shape == b.images.shape and bool((a.images == b.images).all())


CHECKS = (
    Check(
        "travels to workers",
        _travels,
        "make it a frozen dataclass at the top of a module, its fields numbers, strings, tuples or such dataclasses",
        first=True,
    ),
    Check(
        "data",
        _untouched,
        "work with `real` alone, which is the train split, and leave it as it is; the test split is for judging, "
        "and what comes from elsewhere into a preparation, told of in needs().knowledge",
    ),
    Check(
        "format",
        _format,
        "return LabeledImages with exactly ipc uint8 images of every class, of the shape and classes of `real`; round "
        "and clamp floats to 0..255 yourself",
    ),
    Check("same seed", _same_seed, "draw every random number from seeding.generator(NAME, ctx.seed, ...)"),
    Check(
        "another process",
        _other_process,
        "hash(), the order of a set, the working folder, HOME, time zone, locale, host and clock differ between "
        "processes: draw from seeding.generator(NAME, ...), in preparations too, and sort sets",
    ),
    Check("another seed", _other_seed, "use all of ctx.seed: draw from seeding.generator(NAME, ctx.seed, class name)"),
    Check("no memory", _no_memory, "keep nothing between calls: no module variables, no caches beyond ctx.cache"),
    Check(
        "global random state",
        _global_state,
        "draw from seeding.generator(...); where a library knows only torch's global generator, use seeding.seeded",
    ),
    Check(
        "preparations",
        preparations_repeat,
        "start each step of a training with `at(step)` of seeding.seeded(NAME, self.seed), from which dropout and the "
        "like draw; a generator of a network's or helper's own is made in the run, from seeding.generator(...)",
    ),
    Check(
        "process state",
        _process_state,
        "change nothing that others in the process share, or put it back: `with torch.no_grad():`, torch.autocast, "
        "warnings.catch_warnings(); give dtype= and device= where a tensor is made",
    ),
    Check(
        "class order",
        _class_order,
        "name streams by class name, seeding.generator(NAME, ctx.seed, real.classes[k]), never by the place of a class",
    ),
    Check(
        "batch size",
        _batch_size,
        "draw the noise of an image by its own coordinates, seeding.generator(NAME, ctx.seed, class name, index), and "
        "keep sums over a batch out of what an image becomes",
    ),
    Check("gradients", _gradients, "give the optimiser the parameters that the loss reaches, and no others"),
    Check("memory", _memory, "raise memory_gib in needs() to what it takes, or go through the images in smaller parts"),
    Check("finite", _finite, "lower the learning rate or the guidance; a log that is not finite says it diverged"),
)
