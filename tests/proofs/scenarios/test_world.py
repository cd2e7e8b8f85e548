"""The world of a scenario while its relay comes and goes."""

import contextlib
import socket
from pathlib import Path

from blindrelay.policies.scenarios.document import read
from blindrelay.proofs.scenarios.world import World

TEMPLATE = Path(__file__).parents[3] / "cli" / "new.scenario.yaml"


class Squatted(World):
    """A world beside other programs: while its relay is away, they listen wherever it did if they can."""

    def __init__(self, folder: Path) -> None:
        super().__init__(read(TEMPLATE), folder)
        self.squatters = contextlib.ExitStack()
        self.robbed: set[int] = set()

    async def _start_relay(self) -> None:
        if hasattr(self, "relay"):
            for port in (self.relay.port, self.relay.port + 1, self.relay.desk_port or 0, self.relay.logs_port):
                with contextlib.suppress(OSError):
                    self.squatters.enter_context(socket.create_server(("127.0.0.1", port)))
                    self.robbed.add(port)
        await super()._start_relay()


async def test_a_restart_needs_no_luck(tmp_path: Path) -> None:
    """Nobody gets the port that devices know while the relay restarts, and desk and logs need no port of their former life."""
    world = Squatted(tmp_path)
    with world.squatters:
        async with world:
            port, others = world.relay.port, {world.relay.desk_port, world.relay.logs_port}
            await world.restart()

            assert world.robbed >= others
            assert world.relay.port == port
            assert await world.collect("alice@acme.example") == []
