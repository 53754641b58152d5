"""What stands in the way of stages, asked of preparations, methods and the protocol before the first of them runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ddbench.config.values import build, plain
from ddbench.errors import BenchError
from ddbench.stages.inputs import dataset_of
from ddbench.types import DataFacts

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


Question = Callable[[DataFacts], Sequence[str]]


def _questions(stage: Stage) -> Iterator[tuple[Any, Callable[[], Question]]]:
    """Each part that a stage runs, as JSON, with a function that builds it and gives its ``problems``."""
    task = stage.task

    def part(described: dict[str, Any]) -> Any:
        return build(plain(described), stage.addresses)

    if "preparation" in task:
        yield task["preparation"], lambda: part(task["preparation"]).problems
    if "method" in task:

        def of_method() -> Question:
            method, preparations = part(task["method"]), tuple(map(part, task["state"]))
            return lambda data: method.problems(data, preparations)

        yield [task["method"], task["state"]], of_method
    if "protocol" in task:
        yield task["protocol"], lambda: part(task["protocol"]).problems


def _answers(stage: Stage, ask: Callable[[], Question], light: bool) -> list[str]:
    try:
        dataset, question = dataset_of(stage), ask()
    except (ImportError, BenchError):
        return []
    data = DataFacts(dataset.name, dataset.classes, dataset.shape, light)
    try:
        return list(question(data))
    except BenchError as error:
        return [str(error)]
    except Exception as error:  # a mistake in a plug-in, which would otherwise end the command with a traceback
        where = getattr(question, "__qualname__", "problems")
        return [f"{where} of {stage.label} raised {type(error).__name__}: {error}. Mend that function."]
