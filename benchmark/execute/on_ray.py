"""Stages as Ray tasks, as many side by side as there are processors. The only module that imports Ray."""

from __future__ import annotations

import logging
import os
from typing import Any

from benchmark.execute.backend import Backend
from benchmark.plan import Stage
from benchmark.stages import StageResult, run_stage


class OnRay(Backend):
    """Artifacts travel by the store, keys by Ray. Ray's retries are off: ``walk`` decides what a failure means."""

    def __init__(self, root: str) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        import ray

        self._ray: Any = ray
        self._root = root
        ray.init(address="local", include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        resources = ray.cluster_resources()
        self._processors, self._gpus = int(resources["CPU"]), int(resources.get("GPU", 0))
        self._under_way: dict[Any, Stage] = {}
        self._run = ray.remote(run_stage)

    def fits(self, stage: Stage) -> bool:
        stages = [*self._under_way.values(), stage]
        enough = sum(map(self._threads, stages)) <= self._processors
        return enough and sum(map(self._needs_gpu, stages)) <= self._gpus

    def submit(self, stage: Stage) -> None:
        task = self._run.options(
            num_cpus=self._threads(stage), num_gpus=self._needs_gpu(stage), max_retries=0, name=stage.label
        )
        self._under_way[task.remote(stage, self._root)] = stage

    def wait(self) -> tuple[Stage, StageResult]:
        (ready,), _ = self._ray.wait(list(self._under_way), num_returns=1)
        stage = self._under_way.pop(ready)
        try:
            return stage, self._ray.get(ready)
        except self._ray.exceptions.RayError as error:
            reason = " ".join(str(error).split())
            return stage, StageResult(outcome="failed", reason=f"the worker was lost: {type(error).__name__}: {reason}")

    def close(self) -> None:
        self._ray.shutdown()

    def _threads(self, stage: Stage) -> int:
        """Processors for a stage. More threads than processors are allowed, as they are inline: they only share."""
        return min(stage.threads, self._processors)

    @staticmethod
    def _needs_gpu(stage: Stage) -> int:
        return int(stage.task["device"] == "cuda")
