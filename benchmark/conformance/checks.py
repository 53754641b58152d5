"""The checks, each a question with a yes or no, and what to do when the answer is no."""

from __future__ import annotations

import math
import pickle
import random
from collections.abc import Callable
from dataclasses import dataclass

from benchmark.conformance.guards import Touched, gradients, no_data
from benchmark.conformance.trial import Trial
from benchmark.distilled import check_distilled
from benchmark.errors import InvalidOutput
from benchmark.images import LabeledImages
from benchmark.values import build, describe

GREY_LEVELS = 1
"""by how much pixels may differ where only the order of a sum differs"""


@dataclass(frozen=True)
class Check:
    """A requirement. ``find`` gives what is wrong, or nothing."""

    name: str
    find: Callable[[Trial], str]
    advice: str


def _format(trial: Trial) -> str:
    for ipc in (1, 3):
        try:
            made = trial.distil(ipc)
            check_distilled(made, trial.real.classes, trial.real.shape, ipc)
        except InvalidOutput as error:
            return f"at ipc {ipc}: {error}"
    return ""


def _same_seed(trial: Trial) -> str:
    first, again = trial.distil(), trial.distil()
    return "" if _equal(first, again) else "two calls with one seed give different images"


def _other_seed(trial: Trial) -> str:
    if not _equal(trial.distil(seed=0), trial.distil(seed=1)):
        return ""
    first = [trial.real.of_class(k)[:2] for k in range(len(trial.real.classes))]
    made = trial.distil()
    if all(bool((made.of_class(k) == images).all()) for k, images in enumerate(first)):
        return "it takes the first images of each class as they are stored: that is no draw"
    return "seeds 0 and 1 give the same images"


def _no_memory(trial: Trial) -> str:
    before = trial.distil(ipc=2, seed=0)
    trial.distil(ipc=3, seed=1)
    return "" if _equal(before, trial.distil(ipc=2, seed=0)) else "what was made before changes what is made next"


def _global_state(trial: Trial) -> str:
    import numpy as np
    import torch

    kept = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        made = []
        for seed in (1, 2):
            random.seed(seed)
            np.random.seed(seed)
            torch.manual_seed(seed)
            before = _states()
            made.append(trial.distil())
            names = [name for name, a, b in zip(("random", "numpy", "torch"), before, _states(), strict=True) if a != b]
            if names:
                return f"it draws from the global generator of {names[0]}"
        return "" if _equal(*made) else "its images depend on a global generator"
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])
        torch.set_rng_state(kept[2])


def _states() -> tuple[bytes, ...]:
    import numpy as np
    import torch

    return tuple(pickle.dumps(s) for s in (random.getstate(), np.random.get_state(), torch.get_rng_state().tolist()))


def _untouched(trial: Trial) -> str:
    pixels, labels = trial.real.images.clone(), trial.real.labels.clone()
    trial.prepared.clear()
    try:
        with no_data(trial.folder):
            trial.distil()
    except Touched as error:
        return str(error)
    finally:
        changed = not ((trial.real.images == pixels).all() and (trial.real.labels == labels).all())
        trial.real.images.copy_(pixels)
        trial.real.labels.copy_(labels)
    return "it changes the real images in place" if changed else ""


def _travels(trial: Trial) -> str:
    try:
        if pickle.loads(pickle.dumps(trial.method)) != trial.method:
            return "a pickled copy is not equal to it"
        if build(describe(trial.method)) != trial.method:
            return "rebuilt from its fields it is not equal to itself"
    except (TypeError, AttributeError, pickle.PicklingError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _class_order(trial: Trial) -> str:
    import torch

    real, names = trial.real, trial.real.classes
    turned = names[::-1]
    labels = torch.tensor([turned.index(name) for name in names])[real.labels]
    order = labels.argsort(stable=True)
    straight, other = trial.distil(), trial.distil(real=LabeledImages(real.images[order], labels[order], turned))
    for k, name in enumerate(names):
        a, b = straight.of_class(k).short(), other.of_class(turned.index(name)).short()
        if int((a - b).abs().max()) > GREY_LEVELS:
            return f"with the classes in another order, class {name!r} gets other images"
    return ""


def _gradients(trial: Trial) -> str:
    trial.prepared.clear()
    with gradients() as found:
        trial.distil()
    if found["not finite"]:
        return f"a gradient is not finite (a parameter of shape {found['not finite'][0]})"
    if found["idle"]:
        return f"{len(found['idle'])} trainable parameters get no gradient, one of shape {found['idle'][0]}"
    return ""


def _finite(trial: Trial) -> str:
    trial.distil()
    odd = [name for name, value in trial.logged.items() if not math.isfinite(value)]
    return f"it logged {odd[0]} = {trial.logged[odd[0]]}" if odd else ""


def _equal(a: LabeledImages, b: LabeledImages) -> bool:
    return a.images.shape == b.images.shape and bool((a.images == b.images).all())


CHECKS = (
    Check(
        "format",
        _format,
        "return LabeledImages with exactly ipc uint8 images of every class, of the shape and classes of `real`; round "
        "and clamp floats to 0..255 yourself",
    ),
    Check("same seed", _same_seed, "draw every random number from seeding.generator(NAME, ctx.seed, ...)"),
    Check("another seed", _other_seed, "use ctx.seed: draw from seeding.generator(NAME, ctx.seed, class name)"),
    Check("no memory", _no_memory, "keep nothing between calls: no module variables, no caches beyond ctx.cache"),
    Check(
        "global random state",
        _global_state,
        "draw from seeding.generator(...); where a library knows only torch's global generator, use seeding.seeded",
    ),
    Check(
        "data",
        _untouched,
        "work with `real` alone, which is the train split, and leave it as it is; the test split belongs to the judges",
    ),
    Check(
        "travels to workers",
        _travels,
        "make it a frozen dataclass at the top of a module, its fields numbers, strings, tuples or such dataclasses",
    ),
    Check(
        "class order",
        _class_order,
        "name streams by class name, seeding.generator(NAME, ctx.seed, real.classes[k]), never by the place of a class",
    ),
    Check("gradients", _gradients, "give the optimiser the parameters that the loss reaches, and no others"),
    Check("finite", _finite, "lower the learning rate or the guidance; a log that is not finite says it diverged"),
)
