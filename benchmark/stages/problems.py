"""What stands in the way of stages, asked of preparations, methods and the protocol before the first of them runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ddbench import seeding
from ddbench.config.values import build, plain
from ddbench.config.variants import with_option
from ddbench.errors import BenchError
from ddbench.learning.teacher import Teacher, TeacherFile
from ddbench.plugins.broken import BrokenDataset, BrokenNetwork
from ddbench.stages.inputs import dataset_of
from ddbench.types import DataFacts, Network, Preparation

if TYPE_CHECKING:
    from ddbench.plan.graph import Stage


def refuse_problems(stages: Iterable[Stage], light: bool = False) -> None:
    """Raises BenchError with all that ``problems_of`` finds."""
    found = problems_of(stages, light)
    if len(found) == 1:
        raise BenchError(found[0])
    if found:
        listed = "\n".join(f"- {problem}" for problem in found)
        raise BenchError(f"{len(found)} things are wrong, and nothing was run:\n{listed}")


def problems_of(stages: Iterable[Stage], light: bool) -> list[str]:
    """The problems of all that ``stages`` run, each once, in their order; what they only load was run before.

    Parts that cannot be imported are left out: their cells fail and say why.
    """
    listed = list(stages)
    askers = _askers(listed)
    found: dict[str, None] = {}
    asked: set[str] = set()
    for stage in listed:
        if "skipped" in stage.task:
            continue
        for what, ask in _questions(stage, askers.get(stage.key, ())):
            about = json.dumps([what, stage.task["dataset"], stage.location])
            if about not in asked:
                asked.add(about)
                found.update(dict.fromkeys(_answers(stage, ask, light)))
    return list(found)


def _askers(stages: Iterable[Stage]) -> dict[str, list[tuple[str, str]]]:
    """Key of a preparation -> the options by which the methods and protocols that ask for it were named, such as
    ``("--protocol", "rded@1")``."""
    askers: dict[str, list[tuple[str, str]]] = {}
    for stage in stages:
        if stage.kind == "evaluate":
            named = ("--protocol", stage.task["cell"]["protocol"])
        else:  # DATASET/METHOD/ipcN/seedN
            place = stage.label.removeprefix(f"{stage.task['dataset']['name']}/").rpartition("/ipc")[0]
            named = ("--methods", place)
        for key in stage.task.get("chain", ()):
            if named not in (others := askers.setdefault(key, [])):
                others.append(named)
    return askers


EXAMPLE = "convnet3-bn"
"""an arch for images of any channels, from 8 px"""

Question = tuple[Any, Callable[[DataFacts], Sequence[str]]]
"""a part, and its ``problems`` as a function of the data alone"""


def _questions(stage: Stage, askers: Sequence[tuple[str, str]]) -> Iterator[tuple[Any, Callable[[], Question]]]:
    """For each part that a stage runs: its description, and a function that builds the part and the question to it."""
    task = stage.task

    def part(described: dict[str, Any]) -> Any:
        return build(plain(described), stage.addresses)

    def simple(described: dict[str, Any]) -> Question:
        built = part(described)
        return built, built.problems

    def of_method() -> Question:
        method, preparations = part(task["method"]), tuple(map(part, task["state"]))
        return method, lambda data: method.problems(data, preparations)

    def judged(described: dict[str, Any], network: dict[str, Any]) -> Question:
        """Of a protocol and a network: whether the network can be built for what it will see."""
        protocol, made = part(described), part(network)

        def question(data: DataFacts) -> Sequence[str]:
            shape = protocol.network_shape(data, made)
            wrong = [] if shape is None else _cannot_be_built(made, replace(data, shape=shape))
            size = "" if shape is None else f"{shape[1]} x {shape[2]}"
            return [
                f"{problem}. Images of {data.name} reach it at {size} px under this protocol: choose another --archs "
                "(`bench list archs`) or another protocol."
                for problem in wrong
            ]

        return made, question

    def prepared(described: dict[str, Any], name: str, network: dict[str, Any]) -> Question:
        """Of a preparation and a network of its own, such as a teacher's: the same, and whether its file fits it."""
        asked, made = part(described), part(network)

        def question(data: DataFacts) -> Sequence[str]:
            shape = asked.network_shape(data)
            wrong = [] if shape is None else _cannot_be_built(made, replace(data, shape=shape))
            if not wrong and isinstance(asked, TeacherFile) and not data.light:
                return asked.unfit(made, data)
            size = "" if shape is None else f"{shape[1]} x {shape[2]}"
            advice = _other_network(asked, name, askers)
            return [
                f"{problem}. Images of {data.name} reach {advice[0]} at {size} px: {advice[1]}" for problem in wrong
            ]

        return made, question

    if "preparation" in task:
        yield task["preparation"], lambda: simple(task["preparation"])
        for name, network in task.get("networks", {}).items():
            yield [task["preparation"], network], partial(prepared, task["preparation"], name, network)
    if "method" in task:
        yield [task["method"], task["state"]], of_method
    if "protocol" in task:
        yield task["protocol"], lambda: simple(task["protocol"])
        yield [task["protocol"], task["network"]], lambda: judged(task["protocol"], task["network"])


def _cannot_be_built(network: Network, data: DataFacts) -> list[str]:
    """Why a network cannot be built for the images of ``data``, which it says itself or, unless ``light``, shows."""
    found = list(network.problems(data))
    if not found and not data.light:
        try:
            with seeding.seeded("problems"):
                network(data.shape, len(data.classes))
        except ValueError as error:
            found = [str(error)]
    return [one.rstrip(".") for one in found]


def _other_network(asked: Preparation, name: str, askers: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """What the network ``name`` of a preparation is called, and how another is chosen in its place."""
    field = next((f.name for f in fields(asked) if getattr(asked, f.name) == name), "network")
    option = f"{asked.stage}.{field}" if isinstance(asked, Teacher) else field
    whose = "the teacher" if isinstance(asked, Teacher) else f"the network of stage {asked.stage}"
    other = "NAME" if name == EXAMPLE else EXAMPLE
    typed = " and ".join(f"{flag} '{with_option(text, option, other)}'" for flag, text in askers)
    told = f"by {typed}" if typed else f"by {option}={other} behind the name of the method or protocol that asks for it"
    return f"{whose}, {name},", f"choose another {option}, such as {told} (`bench list archs`)."


def _answers(stage: Stage, ask: Callable[[], Question], light: bool) -> list[str]:
    try:
        dataset, (asked, question) = dataset_of(stage), ask()
    except (ImportError, BenchError):
        return []
    if isinstance(dataset, BrokenDataset) or isinstance(asked, BrokenNetwork):
        return []
    try:
        count = sum(dataset.train_counts())
        return list(question(DataFacts(dataset.name, dataset.classes, dataset.shape, light, count)))
    except BenchError as error:
        return [str(error)]
    except Exception as error:  # a mistake in a plug-in, which would otherwise end the command with a traceback
        what = f"{type(error).__name__}: {error}"
        return [f"{type(asked).__name__}.problems raised {what} ({stage.label}). Mend that function."]
