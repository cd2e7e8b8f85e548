"""What the views are given."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blindrelay.console.channels import Channels
from blindrelay.console.errand import Errand
from blindrelay.console.ledger_tail import LedgerTail
from blindrelay.console.log_files import LogFiles
from blindrelay.console.operations import Operations
from blindrelay.console.playing.runs import Runs
from blindrelay.console.relay_watch import watch
from blindrelay.console.rights import Role
from blindrelay.console.sessions import Sessions
from blindrelay.protocol.clock import Clock, SystemClock

if TYPE_CHECKING:
    from blindrelay.console.demonstration import Demonstration


@dataclass
class Desktop:
    """A console's own things.

    Attributes:
        relay: the data directory of the relay that is looked at. It is only read.
        roles: whom sign-in links are for.
        token_file: the token of a person at the lawful desk, for what that person may do there; None: nobody's.
        proof_file, matrix_file: what `blindrelay prove --json` and `sabotage matrix --out` have written, to be shown.
        stage: makes the demonstration, where this is one. It needs the clients' packages, and a console does not.
        channels: what is live.
        sessions: who has signed in.
        tail: what the relay keeps.
        runs: scenarios that have been played.
        log_files: the public logs.
        operations: how the relay does.
        proof, attacks: what is carried out when somebody asks for it.
        demonstration: people and authorities, where this is one.
    """

    relay: Path
    roles: tuple[Role, ...] = (Role.OPERATOR, Role.AUDITOR)
    token_file: Path | None = None
    proof_file: Path | None = None
    matrix_file: Path | None = None
    stage: "Callable[[Desktop], Demonstration] | None" = None
    clock: Clock = field(default_factory=SystemClock)
    channels: Channels = field(default_factory=Channels)
    sessions: Sessions = field(init=False)
    tail: LedgerTail = field(init=False)
    runs: Runs = field(default_factory=Runs)
    log_files: LogFiles = field(init=False)
    operations: Operations = field(init=False)
    proof: Errand = field(default_factory=lambda: Errand("prove", "--quick"))
    attacks: Errand = field(default_factory=lambda: Errand("demo", "--attack", "all"))
    demonstration: "Demonstration | None" = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.sessions = Sessions(self.clock, self.roles)
        self.tail = LedgerTail(self.relay, self.channels.relay, lambda: self.relay_is_up, self.clock)
        self.log_files = LogFiles(self.relay)
        self.operations = Operations(self.relay, lambda: self.relay_is_up, self.clock)
        self.relay_is_up = False
        if self.stage is not None:
            self.demonstration = self.stage(self)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Look at the relay for as long as this is entered."""
        async with AsyncExitStack() as stack:
            for close in (self.runs.close, self.proof.close, self.attacks.close):
                stack.push_async_callback(close)
            stack.callback(self.log_files.close)
            await stack.enter_async_context(_running(watch(self.relay, self.clock, self._seen)))
            await stack.enter_async_context(_running(self.tail.work()))
            await stack.enter_async_context(_running(self.operations.work()))
            if self.demonstration is not None:
                await stack.enter_async_context(self.demonstration.at_work())
            yield

    def _seen(self, state: dict[str, Any]) -> None:
        self.relay_is_up = state["up"]
        self.channels.status.put("relay", state, lasting=True)


@asynccontextmanager
async def _running(work: Any) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
