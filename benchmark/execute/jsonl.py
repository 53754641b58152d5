"""A watcher that writes what it is told into a file, for whatever reads files."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ddbench.types import Record, RunEnd, RunStart, StageEnd, Watcher


@dataclass(frozen=True)
class JsonLines(Watcher):
    """Appends a line of JSON to a file for each event of a run.

    ``event`` is begin, stage, record or end; what is told lies under run, stage, record or summary. A line is in the
    file, for a ``tail -f``, before the next stage starts. A record is as the store keeps it (``Record.from_json``).
    """

    path: str = "events.jsonl"
    """the file, relative to where the command runs; folders are made, and a file that is there goes on"""

    def begin(self, run: RunStart) -> None:
        self._append("begin", run=dataclasses.asdict(run))

    def stage(self, stage: StageEnd) -> None:
        self._append("stage", stage=dataclasses.asdict(stage))

    def record(self, record: Record) -> None:
        self._append("record", record=record.to_json())

    def end(self, summary: RunEnd) -> None:
        self._append("end", summary=dataclasses.asdict(summary))

    def _append(self, event: str, **details: Any) -> None:
        path = Path(self.path).expanduser()
        path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"event": event, "time": datetime.now(UTC).isoformat(), **details})
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
