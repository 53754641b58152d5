"""What stands in the way of stages, asked of preparations, methods and the protocol before the first of them runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ddbench import seeding
from ddbench.config.values import build, plain
from ddbench.errors import BenchError
from ddbench.plugins.broken import BrokenDataset, BrokenNetwork
from ddbench.stages.inputs import dataset_of
from ddbench.types import DataFacts, Network, Protocol

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
    found: dict[str, None] = {}
    asked: set[str] = set()
    for stage in stages:
        if "skipped" in stage.task:
            continue
        for what, ask in _questions(stage):
            about = json.dumps([what, stage.task["dataset"], stage.location])
            if about not in asked:
                asked.add(about)
                found.update(dict.fromkeys(_answers(stage, ask, light)))
    return list(found)


Question = tuple[Any, Callable[[DataFacts], Sequence[str]]]
"""a part, and its ``problems`` as a function of the data alone"""


def _questions(stage: Stage) -> Iterator[tuple[Any, Callable[[], Question]]]:
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

    def built(described: dict[str, Any], network: dict[str, Any]) -> Question:
        """Of a preparation or protocol and a network: whether the network can be built for what it will see."""
        asked, made = part(described), part(network)

        def question(data: DataFacts) -> Sequence[str]:
            of_protocol = isinstance(asked, Protocol)
            shape = asked.network_shape(data, made) if of_protocol else asked.network_shape(data)
            return () if shape is None else _cannot_be_built(made, replace(data, shape=shape))

        return made, question

    if "preparation" in task:
        yield task["preparation"], lambda: simple(task["preparation"])
        for network in task.get("networks", {}).values():
            yield [task["preparation"], network], partial(built, task["preparation"], network)
    if "method" in task:
        yield [task["method"], task["state"]], of_method
    if "protocol" in task:
        yield task["protocol"], lambda: simple(task["protocol"])
        yield [task["protocol"], task["network"]], lambda: built(task["protocol"], task["network"])


def _cannot_be_built(network: Network, data: DataFacts) -> list[str]:
    """Why a network cannot be built for the images of ``data``, which it says itself or, unless ``light``, shows."""
    found = list(network.problems(data))
    if not found and not data.light:
        try:
            with seeding.seeded("problems"):
                network(data.shape, len(data.classes))
        except ValueError as error:
            found = [str(error)]
    size = f"{data.shape[1]} x {data.shape[2]}"
    return [
        f"{problem}. Images of {data.name} reach it at {size} px under this protocol: choose another --archs "
        "(`bench list archs`) or another protocol."
        for problem in (one.rstrip(".") for one in found)
    ]


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
