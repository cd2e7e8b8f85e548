"""Three nodes that are one relay, in one process, over real servers."""

import asyncio
import contextlib
import itertools
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy

from blindrelay.protocol.clock import SystemClock
from blindrelay.relay.cluster import identity
from blindrelay.relay.server import Relay
from blindrelay.relay.store.postgres.address import Address
from blindrelay.relay.store.postgres.connections import WRITING, engine

from . import site
from .tenants import Badge, Tenant
from .wire import Client

T = TypeVar("T")

NAMES = ("n1", "n2", "n3")


@dataclass
class Cluster:
    """Nodes by name. `servers`: NATS; none: every wake-up is lost."""

    folder: Path
    database: str
    servers: list[str] = field(default_factory=list)
    nodes: dict[str, Relay] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Relay:
        return self.nodes[name]

    def relay(self, name: str, **settings: Any) -> Relay:
        """A node that has not been started."""
        ours = {"node": name, "servers": self.servers, "identity_dir": self.folder / "identity"}
        ours |= settings.pop("cluster", {})
        return site.relay_in(self.folder / name, store=self.database, cluster=ours, **settings)

    async def start(self, *names: str, **settings: Any) -> None:
        """Start these nodes."""
        for name in names:
            self.nodes[name] = self.relay(name, **settings)
            await self.nodes[name].start()

    async def stop(self, *names: str) -> None:
        """Stop these nodes, as SIGTERM does."""
        for name in names:
            await self.nodes.pop(name).stop()

    async def register(self, name: str = "acme.example") -> Tenant:
        """A tenant, registered at the first node that there is."""
        return await site.register(next(iter(self.nodes.values())), Tenant(name, self.folder))

    @contextlib.asynccontextmanager
    async def connected(self, node: str, badge: Badge, **options: object) -> AsyncIterator[Client]:
        """A client that has been admitted at a node."""
        async with site.connected(self.nodes[node], badge, **options) as client:
            yield client


@contextlib.asynccontextmanager
async def cluster(folder: Path, database: str, servers: list[str], *names: str) -> AsyncIterator[Cluster]:
    """Three nodes, or those that are named."""
    identity.create(folder / "identity", SystemClock())
    running = Cluster(folder, database, servers)
    try:
        await running.start(*(names or NAMES))
        yield running
    finally:
        await running.stop(*running.nodes)


class Spread:
    """All nodes as one relay: each connection is to the next one, and everything else is the first one's."""

    def __init__(self, running: Cluster) -> None:
        self._nodes = list(running.nodes.values())
        self._next = itertools.cycle(self._nodes)

    @property
    def port(self) -> int:
        """Of the next node."""
        return next(self._next).port

    def __getattr__(self, name: str) -> Any:
        return getattr(self._nodes[0], name)


class Store:
    """A database without a relay: what `ports.Store` asks, at once and in this thread."""

    def __init__(self, engine: sqlalchemy.Engine) -> None:
        self.engine = engine
        self.writes = 0

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, database: str) -> AsyncIterator["Store"]:
        """Open it, and close it afterwards."""
        opened = cls(engine(Address.parse(database), WRITING))
        try:
            yield opened
        finally:
            opened.engine.dispose()

    async def run(self, write: Callable[[sqlalchemy.Connection], T]) -> T:
        """Write, and commit."""
        self.writes += 1
        with self.engine.begin() as connection:
            return write(connection)

    async def read(self, query: Callable[[sqlalchemy.Connection], T]) -> T:
        """Read what is committed."""
        with self.engine.connect() as connection:
            return query(connection)


@dataclass
class NodeProcess:
    """A node in a process of its own, that can be killed. `wire.Client` takes it for a relay."""

    certificate: Path
    port: int
    process: "subprocess.Popen[str]"
    host: str = "127.0.0.1"

    @classmethod
    def start(cls, running: Cluster, name: str) -> "NodeProcess":
        """Start it, and wait until it listens."""
        folder = running.folder / name
        folder.mkdir(mode=0o700, exist_ok=True)
        servers = ", ".join(f'"{url}"' for url in running.servers)
        (folder / "blindrelay.toml").write_text(
            f'store = "{running.database}"\nport = 0\n[desk]\nenabled = false\n'
            f'[cluster]\nnode = "{name}"\nservers = [{servers}]\nidentity_dir = "{running.folder / "identity"}"\n'
        )
        command = [sys.executable, "-m", "blindrelay", "up", "--json", "--data-dir", str(folder)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "the node has not started"
        return cls(running.folder / "identity" / "relay.crt", int(json.loads(line)["port"]), process)

    def kill(self) -> None:
        """`kill -9`."""
        self.process.kill()
        self.close()

    def close(self) -> None:
        """See that it is gone."""
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


@contextlib.asynccontextmanager
async def node_process(running: Cluster, name: str) -> AsyncIterator[NodeProcess]:
    """A node in a process of its own."""
    process = await asyncio.to_thread(NodeProcess.start, running, name)
    try:
        yield process
    finally:
        await asyncio.to_thread(process.close)
