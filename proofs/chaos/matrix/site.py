"""A deployment of processes on this machine, with something that can misbehave on every way between two of them.

As if there were a machine for each node: a relay node and a NATS server, which are cut off from the other machines together.
The database is a machine of its own.

    devices ── doors ── node n ── ways[n, m] ── NATS m ── routes ── NATS
                          └────── lines[n] ──── PostgreSQL

Without PostgreSQL it is one embedded relay, and a door.
"""

import asyncio
import contextlib
import json
from collections.abc import Coroutine, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Final, Self

from blindrelay.proofs.chaos.matrix.database import Database
from blindrelay.proofs.chaos.proxy import Flow, Proxy
from blindrelay.proofs.chaos.world import World
from blindrelay.proofs.engines import nats, postgres
from blindrelay.protocol.clock import SystemClock
from blindrelay.relay.cluster import identity

_POLL: Final = 0.05
# After a node that has left by itself; as long as a supervisor waits. Seconds.
_RESTART: Final = 0.5


@dataclass(frozen=True, slots=True)
class Shape:
    """What a deployment is.

    Attributes:
        nodes: how many; 1 on SQLite.
        database: that is copied; None: SQLite.
        disk: a folder for the database's data; None: with everything else.
        saboteur: a deliberate fault in every node, by name; empty for none.
        lines: whether there is a proxy between each node and the database. It takes processor time that nobody else has then.
    """

    nodes: int = 3
    database: postgres.Server | None = None
    disk: Path | None = None
    saboteur: str = ""
    lines: bool = True


class Site:
    """Everything that runs. An async context manager; on leaving nothing runs any more.

    Attributes:
        nodes: relays, as processes. `left` has a line for each that has ended by itself, and was started again.
        doors: between devices and each node.
        lines: between each node and the database.
        ways: between each node and each NATS server.
        routes: before each NATS server, for the others.
    """

    def __init__(self, folder: Path, shape: Shape) -> None:
        self._folder = folder
        self._shape = shape
        self._stack = AsyncExitStack()
        self._down: set[World] = set()
        self.nodes: list[World] = []
        self.left: list[str] = []
        self.doors: list[Proxy] = []
        self.lines: list[Proxy] = []
        self.ways: dict[tuple[int, int], Proxy] = {}
        self.routes: list[Proxy] = []
        self.nats: list[nats.NatsServer] = []
        self.database: Database | None = None

    async def __aenter__(self) -> Self:
        try:
            await self._build()
            await gathered(self._begin(node) for node in self.nodes)
        except BaseException:
            await self._stack.aclose()
            raise
        supervisor = asyncio.create_task(self._supervise())
        self._stack.push_async_callback(_cancelled, supervisor)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def ports(self) -> list[int]:
        """Where devices may connect."""
        return [door.port for door in self.doors]

    @property
    def identity(self) -> Path:
        """The folder with what all nodes are known by."""
        return self._folder / "identity" if self.database is not None else self.nodes[0].data

    @property
    def registration_code(self) -> str:
        """Whoever has it may register tenants."""
        return (self.identity / "registration-code").read_text(encoding="ascii").strip()

    @property
    def waited(self) -> float:
        """For how long nodes have waited for a processor, in terms of how long they had one: see `plan.Verdict`."""
        ran, waited = (sum(times) for times in zip(*(node.processor() for node in self.nodes), strict=True))
        return waited / ran if ran else 0.0

    # What can be done to it.

    async def kill(self, *nodes: World) -> None:
        """`kill -9`; they stay down until `restart`."""
        self._down.update(nodes)
        await gathered(node.kill() for node in nodes)

    async def restart(self, *nodes: World) -> None:
        """Start what was killed."""
        await gathered(self._begin(node) for node in nodes)
        self._down.difference_update(nodes)

    async def terminate(self) -> list[int | None]:
        """Stop all nodes in good order; the exit status of each, None: it did not leave in time."""
        self._down.update(self.nodes)
        return await gathered(_terminated(node) for node in self.nodes)

    async def part(self, flow: Flow = Flow.HELD) -> None:
        """Cut every machine off from every other one; they reach the database, and devices reach them."""
        for link in self._between_machines():
            await link.let(flow)

    async def heal(self) -> None:
        """Bring everything back that is not a relay's: servers are started, every byte passes, every clock is right."""
        for proxy in (*self.doors, *self.lines, *self.ways.values(), *self.routes):
            proxy.watch = None
            await proxy.let(Flow.OPEN)
        if self.database is not None:
            self.database.empty()
            await self.database.start()
        await gathered(self.start_nats(server) for server in self.nats)
        for node in self.nodes:
            node.step_clock(0)

    async def restart_all(self) -> None:
        """Start every node that was killed."""
        await self.restart(*(node for node in self.nodes if node in self._down))

    async def start_nats(self, server: nats.NatsServer) -> None:
        """Start it, if it does not run."""
        if server.process is None:
            await asyncio.to_thread(server.start)
            self._point(server)

    # How it is built.

    async def _build(self) -> None:
        if self._shape.database is None:
            await self._add_node(1, {})
            return
        # In a place of its own: PostgreSQL, which runs as somebody else, is to be let in, and a socket's path is short.
        place = self._shape.disk or Path(self._stack.enter_context(TemporaryDirectory(prefix="blindrelay-db-")))
        place.chmod(0o755)
        self.database = await asyncio.to_thread(Database.copied, self._shape.database, place / "db")
        self._stack.push_async_callback(asyncio.to_thread, self.database.leave_log, self._folder / "postgresql.log")
        self._stack.push_async_callback(self.database.stop)
        await self.database.start()
        await asyncio.to_thread(identity.create, self._folder / "identity", SystemClock())
        numbers = range(self._shape.nodes)
        self.routes = [await self._stack.enter_async_context(Proxy()) for _ in numbers]
        for number in numbers:
            await self._add_nats(number)
        for number in numbers:
            port = await self._add_line(self.database) if self._shape.lines else None
            for other in numbers:
                way = await self._stack.enter_async_context(Proxy(self.nats[other].port))
                self.ways[number, other] = way
            servers = [f"nats://127.0.0.1:{self.ways[number, other].port}" for other in numbers]
            mine = servers[number:] + servers[:number]
            cluster = {"node": f"n{number + 1}", "servers": mine, "identity_dir": str(self._folder / "identity")}
            await self._add_node(number + 1, {"store": self.database.url(port), "cluster": cluster})

    async def _add_line(self, database: Database) -> int:
        line = await self._stack.enter_async_context(Proxy(target_socket=database.socket))
        self.lines.append(line)
        return line.port

    async def _add_nats(self, number: int) -> None:
        folder = self._folder / f"nats{number + 1}"
        folder.mkdir()
        doors = [route.port for other, route in enumerate(self.routes) if other != number]
        server = nats.member(folder, f"nats{number + 1}", doors, self.routes[number].port)
        self._stack.push_async_callback(asyncio.to_thread, server.stop)
        self.nats.append(server)
        await asyncio.to_thread(server.start)
        self._point(server)

    async def _add_node(self, number: int, settings: dict[str, Any]) -> None:
        folder = self._folder / f"n{number}"
        folder.mkdir()
        node = World(folder, saboteur=self._shape.saboteur, settings=json.dumps(settings))
        self._stack.push_async_callback(node.kill)
        self.nodes.append(node)
        self.doors.append(await self._stack.enter_async_context(Proxy()))

    async def _begin(self, node: World) -> None:
        await node.start()
        self.doors[self.nodes.index(node)].target_port = node.port

    def _point(self, server: nats.NatsServer) -> None:
        number = self.nats.index(server)
        self.routes[number].target_port = server.route_port
        for (_, other), way in self.ways.items():
            if other == number:
                way.target_port = server.port

    def _between_machines(self) -> Iterable[Proxy]:
        yield from self.routes
        yield from (way for (node, server), way in self.ways.items() if node != server)

    async def _supervise(self) -> None:
        """Start again whatever node has ended by itself, as an operating system's supervisor does."""
        while True:
            await asyncio.sleep(_POLL)
            for node in self.nodes:
                if node in self._down or node.runs:
                    continue
                status = await node.wait(1.0)
                self.left.append(f"{node.log.parent.name} left with status {status}: {node.log_end()[-1_000:]}")
                await asyncio.sleep(_RESTART)
                if node not in self._down:
                    with contextlib.suppress(Exception):  # it is tried again, and counted again
                        await self._begin(node)


async def gathered(work: Iterable[Coroutine[Any, Any, Any]]) -> list[Any]:
    """All of it at once; the first failure is raised when all of it is over."""
    done = await asyncio.gather(*work, return_exceptions=True)
    for each in done:
        if isinstance(each, BaseException):
            raise each
    return done


async def _terminated(node: World) -> int | None:
    try:
        return await node.terminate()
    except TimeoutError:
        return None


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
