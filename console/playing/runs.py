"""Runs of scenarios: each in a process of its own, one after the other, and remembered frame by frame."""

import asyncio
import contextlib
import os
import signal
import sys
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

import blindrelay
from blindrelay.console.errors import ConsoleError
from blindrelay.console.playing.lines import LINE, Frame, Moved, Over
from blindrelay.policies.scenarios import schema
from blindrelay.policies.scenarios.document import Source, find, read

#: Where those are that come along.
_SHIPPED: Final = Path(schema.__file__).resolve().parents[1]
#: The one that begins the list: what everything here is about.
FIRST: Final = "pakistan-2015"
#: Runs that are remembered; and those that may wait for their turn.
_KEPT: Final = 20
# A frame has some 10 kB.
_MAX_LINE: Final = 1 << 22
_ROOT: Final = str(Path(blindrelay.__file__).absolute().parents[1])


class NoSuchScenario(ConsoleError):
    """There is none of that name, or no such variant of it."""


@dataclass(slots=True)
class Run:
    """One run, as far as it has come. `over` None: it is not over yet."""

    number: int
    source: Source
    variant: str | None
    frames: list[Frame] = field(default_factory=list)
    moved: Moved | None = None
    over: Over | None = None


class Runs:
    """All of them. What was played once is not played again: it would come to the same."""

    def __init__(self) -> None:
        self._runs: OrderedDict[int, Run] = OrderedDict()
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._numbers = 0

    @cached_property
    def sources(self) -> dict[str, Source]:
        """Those that there are, by name."""
        found = [read(path) for path in find([_SHIPPED])]
        found.sort(key=lambda source: (source.scenario.scenario != FIRST, source.scenario.scenario))
        return {source.scenario.scenario: source for source in found}

    def start(self, scenario: str, variant: str | None) -> Run:
        """Play it, or find the run in which it was or is being played. Raises `NoSuchScenario`."""
        source = self.sources.get(scenario)
        if source is None or variant not in source.scenario.runs():
            raise NoSuchScenario("there is no such scenario, or no such variant of it")
        for run in self._runs.values():
            is_good = run.over is None or run.over.error is None
            if (run.source, run.variant) == (source, variant) and is_good:
                return run
        self._numbers += 1
        run = self._runs[self._numbers] = Run(self._numbers, source, variant)
        if len(self._runs) > _KEPT:
            self._runs.popitem(last=False)
        task = asyncio.create_task(self._play(run))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return run

    def find(self, number: int) -> Run:
        """A run. Raises `NoSuchScenario` for one that is not remembered."""
        if number not in self._runs:
            raise NoSuchScenario("this run is not remembered any more: start it again")
        return self._runs[number]

    async def close(self) -> None:
        """End what is being played."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _play(self, run: Run) -> None:
        async with self._turn:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "blindrelay.console.playing", str(run.source.path)),
                *(["--variant", run.variant] if run.variant else []),
                stdin=asyncio.subprocess.PIPE,  # it leaves when this is closed
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
                limit=_MAX_LINE,
                env={**os.environ, "PYTHONPATH": _ROOT},
            )
            try:
                assert process.stdout is not None  # noqa: S101 - these are pipes
                assert process.stderr is not None  # noqa: S101
                complaining = asyncio.create_task(process.stderr.read())
                async for line in process.stdout:
                    _take(run, line)
                complaint = await complaining
            finally:
                if process.returncode is None:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                    await process.wait()
            if run.over is None:
                last = complaint.decode("utf-8", "replace").strip().rpartition("\n")[2][:200]
                run.over = Over(
                    passed=False, error=f"it could not be played: {last or 'no reason is known'}", seconds=0
                )


def _take(run: Run, line: bytes) -> None:
    match LINE.validate_json(line):
        case Frame() as frame:
            run.frames.append(frame)
        case Moved() as moved:
            run.moved = moved
        case Over() as over:
            run.over = over
