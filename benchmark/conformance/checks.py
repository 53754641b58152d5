"""The rules of `bench check`: for each a function that finds a violation, and advice on what to do about it."""

from __future__ import annotations

import hashlib
import math
import pickle
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from ddbench.config.addresses import addresses_of
from ddbench.config.fields import places_of
from ddbench.config.values import build, describe, nested, override
from ddbench.conformance.elsewhere import Failed
from ddbench.conformance.guards import Touched, gradients, no_data
from ddbench.conformance.under_test import MethodUnderTest, deterministic
from ddbench.errors import InvalidOutput
from ddbench.hyperparameters import MemoryOnly
from ddbench.images import LabeledImages
from ddbench.stages.attempt import measure_from_here, peaks
from ddbench.store.distilled import check_distilled, only_classes

GREY_LEVELS = 1
"""by how much pixels may differ when only the order of a sum differs"""

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
    find: Callable[[MethodUnderTest], str]
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
    digest = subject.distil().digest()
    try:
        other = subject.elsewhere(2, 0)
    except Failed as error:
        return f"another process could not make its images: {error}"
    return "" if digest == other else "another process makes other images with the same seed"


def _other_seed(subject: MethodUnderTest) -> str:
    one, other = subject.distil(seed=0), subject.distil(seed=1)
    if not _equal(one, other):
        moved = ((one.images.short() - other.images.short()).abs() > GREY_LEVELS).float().flatten(1).mean(1)
        return "" if float(moved.max()) > NEARLY else "seeds 0 and 1 give nearly the same images"
    first = [subject.real.of_class(k)[:2] for k in range(len(subject.real.classes))]
    chosen = subject.distil()
    if all(bool((chosen.of_class(k) == images).all()) for k, images in enumerate(first)):
        return "it takes the first images of each class as they are stored: that is no draw"
    return "seeds 0 and 1 give the same images"


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
        with _process_seeded(seed):
            before = _states()
            sets.append(subject.distil())
            names = [name for name, a, b in zip(("random", "numpy", "torch"), before, _states(), strict=True) if a != b]
            if names:
                return f"it draws from the global generator of {names[0]}"
    return "" if _equal(*sets) else "its images depend on a global generator"


def _preparations(subject: MethodUnderTest) -> str:
    written = []
    for seed in (1, 2):
        subject.prepared.clear()
        with _process_seeded(seed), deterministic():
            subject.state(0)
        written.append(
            {
                (n, str(path.relative_to(folder))): hashlib.sha256(path.read_bytes()).digest()
                for n, folder in enumerate(subject.prepared.values(), 1)
                for path in sorted(folder.rglob("*"))
                if path.is_file()
            }
        )
    first, again = written
    for n, name in sorted(first | again):
        if first.get((n, name)) != again.get((n, name)):
            return f"preparation {n} of {len(subject.prepared)}, run again after other draws, writes another {name}"
    return ""


@contextmanager
def _process_seeded(seed: int) -> Iterator[None]:
    """Inside, the process-wide generators of Python, numpy and torch start at ``seed``; put back afterwards."""
    import numpy as np
    import torch

    kept = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        yield
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])
        torch.set_rng_state(kept[2])


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
    try:
        if pickle.loads(pickle.dumps(subject.method)) != subject.method:
            return "a pickled copy is not equal to it"
        if build(describe(subject.method), addresses_of(subject.method)) != subject.method:
            return "rebuilt from its fields it is not equal to itself"
    except (TypeError, AttributeError, pickle.PicklingError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


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
        "hash() and the order of a set differ between processes: use seeding.generator(NAME, ...), and sort sets; draw "
        "in preparations from it, too",
    ),
    Check("another seed", _other_seed, "use ctx.seed: draw from seeding.generator(NAME, ctx.seed, class name)"),
    Check("no memory", _no_memory, "keep nothing between calls: no module variables, no caches beyond ctx.cache"),
    Check(
        "global random state",
        _global_state,
        "draw from seeding.generator(...); where a library knows only torch's global generator, use seeding.seeded",
    ),
    Check(
        "preparations",
        _preparations,
        "start each step of a training with `at(step)` of seeding.seeded(NAME, self.seed), from which dropout and the "
        "like draw; a generator of a network's or helper's own is made in the run, from seeding.generator(...)",
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
