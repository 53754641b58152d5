"""A watcher that writes the events of a run to a file."""

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

    ``event`` is begin, stage, record or end; its details are under run, stage, record or summary. A line is written
    before the next stage starts, for a ``tail -f``. ``Record.from_json`` reads a record.
    """

    path: str = "events.jsonl"
    """the file, relative to the current folder; its folders are created, and an existing file is appended to"""

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
