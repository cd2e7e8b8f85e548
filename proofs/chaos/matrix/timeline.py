"""What happened in a run, and when: one JSON object a line, written as it happens."""

import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from blindrelay.protocol.clock import Clock

FILE_NAME = "timeline.jsonl"


class Timeline:
    """A file in the folder of a run. A context manager. Times are seconds since it was opened."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._clock = clock
        self._start = clock.monotonic()
        self._file: TextIO = (folder / FILE_NAME).open("w", encoding="utf-8", buffering=1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, event: str, **what: Any) -> None:
        """Note that `event` happens now."""
        at = round(self._clock.monotonic() - self._start, 3)
        self._file.write(json.dumps({"at": at, "event": event, **what}) + "\n")
