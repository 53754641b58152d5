"""Running steps: each at once, or the first of a layout eagerly and then as a graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ddbench import turns
from ddbench.steps.batch import Batch, Layout, static
from ddbench.steps.draws import cpu_state
from ddbench.steps.graphs import Outputs, Replay
from ddbench.steps.modes import Mode
from ddbench.steps.results import Results, Seen

Step = Callable[[Batch], Outputs]
"""the work of one step on the device: a function of the batch, which changes tensors in place"""

WARM_STEPS = 3
"""steps of a layout that run eagerly before one is captured: optimisers make their state, libraries choose kernels"""
MOST_LAYOUTS = 16
"""that are captured; steps of further ones run eagerly"""


@dataclass
class _Captured:
    """The steps of one layout."""

    batch: Batch
    """at the place that the graph reads"""
    warm: int = 0
    replay: Replay | None = None


@dataclass
class Steps:
    """Calls ``step`` for one batch after another and gives what it puts out to ``seen``, in order, at most
    ``mode.kept`` steps later. ``start``: the number of the first step.

    The first steps of a layout are warm-up and count like all others. A step that draws from a generator of the CPU,
    or that cannot be captured, runs eagerly: ``eager`` says why.
    """

    step: Step
    mode: Mode
    seen: Seen | None = None
    start: int = 0
    eager: str = ""
    _layouts: dict[Layout, _Captured] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.at = self.start
        self.results = Results(self.mode, self.seen) if self.seen else None

    def __call__(self, batch: Batch) -> Outputs:
        """Run the step; what it puts out is on the device, in memory that the next call may use again."""
        outputs = self._captured(batch) if self.mode.graphs and not self.eager else self.step(batch)
        if self.results:
            self.results.put(self.at, outputs)
        self.at += 1
        turns.offer()
        return outputs

    def settle(self) -> None:
        """Wait for all steps so far, and have what they put out seen."""
        if self.results:
            self.results.settle()

    def _captured(self, batch: Batch) -> Outputs:
        graphs, layout = self.mode.graphs, batch.layout
        assert graphs is not None
        if layout not in self._layouts and len(self._layouts) == MOST_LAYOUTS:
            return self.step(batch)
        found = self._layouts.get(layout) or self._layouts.setdefault(
            layout, _Captured(static(layout, self.mode.device))
        )
        found.batch.take(batch)
        if found.replay is None and found.warm < WARM_STEPS:
            found.warm += 1
            before = cpu_state()
            outputs = graphs.warm(lambda: self.step(found.batch))
            if cpu_state() != before:
                self._give_up("the step draws from a generator of the CPU, which a graph would not repeat")
            return outputs
        if found.replay is None:
            try:
                found.replay = graphs.capture(lambda: self.step(found.batch))
            except RuntimeError as error:
                self._give_up(str(error))
                return self.step(batch)
        found.replay.again()
        return found.replay.outputs

    def _give_up(self, reason: str) -> None:
        self.eager = reason
        self._layouts.clear()
