"""What the views are given."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from blindrelay.console.channels import Channels
from blindrelay.console.relay_watch import watch
from blindrelay.console.rights import Role
from blindrelay.console.sessions import Sessions
from blindrelay.protocol.clock import Clock, SystemClock


@dataclass
class Desktop:
    """A console's own things.

    Attributes:
        relay: the data directory of the relay that is looked at. It is only read.
        roles: whom sign-in links are for.
        token_file: the token of a person at the lawful desk, for what that person may do there; None: nobody's.
        channels: what is live.
        sessions: who has signed in.
    """

    relay: Path
    roles: tuple[Role, ...] = (Role.OPERATOR, Role.AUDITOR)
    token_file: Path | None = None
    clock: Clock = field(default_factory=SystemClock)
    channels: Channels = field(default_factory=Channels)
    sessions: Sessions = field(init=False)

    def __post_init__(self) -> None:
        self.sessions = Sessions(self.clock, self.roles)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Look at the relay for as long as this is entered."""
        tell = self.channels.status.put
        work = [asyncio.create_task(watch(self.relay, self.clock, lambda state: tell("relay", state)))]
        try:
            yield
        finally:
            for task in work:
                task.cancel()
            for task in work:
                with contextlib.suppress(asyncio.CancelledError):
                    await task
