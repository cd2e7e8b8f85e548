"""The folder of a run: tenants with certificates, and the servers that know them."""

import asyncio
import resource
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import psutil  # type: ignore[import-untyped]

from benchmarks import mosquitto
from benchmarks.identities import Tenant, on_one_topic, pairs
from benchmarks.job import LoadJob, LoadResult, Pair, Server
from benchmarks.processes import Program, ask, serving
from blindrelay.protocol.clock import SystemClock
from blindrelay.relay.datadir import DataDirectory

SENDING, RECEIVING = "acme.example", "globex.example"


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of everything. The defaults are what the project's aims speak of."""

    pairs: int = 20
    window: int = 20
    payload: int = 1_024
    seconds: float = 10.0
    warm_up: float = 3.0
    rounds: int = 5
    records: int = 5_000_000
    idle: int = 10_000
    contacts: int = 30
    minutes: float = 1.0


class World:
    """Two tenants, `scale.pairs` pairs of devices between them, and a place for servers' data."""

    def __init__(self, folder: Path, scale: Scale) -> None:
        self.folder = folder
        self.scale = scale
        self.sending = Tenant(SENDING, folder / "sending")
        self.receiving = Tenant(RECEIVING, folder / "receiving")
        self.pairs = pairs(self.sending, self.receiving, scale.pairs)
        self._servers = 0

    @asynccontextmanager
    async def relay(  # noqa: PLR0913 - what can be different
        self,
        *,
        tls: bool = True,
        store: bool = True,
        records: int = 0,
        connections: int = 0,
        watched: tuple[int, int] | None = None,
        more: Sequence[str] = (),
    ) -> AsyncIterator[tuple[Program, Server]]:
        """A relay in a process of its own, with a new data directory.

        `records` old TrafficRecords are put into its store first; `connections` raises its limits on connections of one
        address, for all of ours are. `watched`: the first of the pairs that real-time orders are about, and how many there
        are of them; each pair has two. `more`: other options of `benchmarks.served`.
        """
        self._servers += 1
        data = self.folder / f"relay{self._servers}"
        options = [f"--data={data}", f"--records={records}", f"--connections={connections}", *more]
        options += [f"--root={tenant.name}={tenant.root_file}" for tenant in (self.sending, self.receiving)]
        options += ([] if tls else ["--plain"]) + ([] if store else ["--memory"])
        if watched is not None:
            users = (f"sender{{}}@{SENDING}", f"receiver{{}}@{RECEIVING}")
            numbers = range(watched[0], sum(watched))
            options += [f"--watched={user.format(number)}" for number in numbers for user in users]
        async with serving("benchmarks.served", *options) as program:
            authority = program.facts["certificate"] if tls else None
            yield program, Server(host=program.host, port=program.port, authority=authority)

    @asynccontextmanager
    async def mosquitto(self, *, tls: bool) -> AsyncIterator[tuple[Program, Server]]:
        """Mosquitto, with the certificate of a relay that was never started."""
        self._servers += 1
        folder = self.folder / f"mosquitto{self._servers}"
        files = await asyncio.to_thread(self._mosquitto_files, folder)
        async with mosquitto.broker(folder, files if tls else None) as program:
            yield program, Server(host=program.host, port=program.port, authority=str(files[0]) if tls else None)

    def _mosquitto_files(self, folder: Path) -> tuple[Path, Path, Path]:
        with DataDirectory.open(folder, now=SystemClock().now()) as data:
            roots = folder / "roots.pem"
            roots.write_bytes(self.sending.root_file.read_bytes() + self.receiving.root_file.read_bytes())
            return data.certificate, data.key, roots

    def more_pairs(self, first: int, count: int) -> list[Pair]:
        """Pairs besides those that carry the load."""
        return pairs(self.sending, self.receiving, count, first)

    async def load(  # noqa: PLR0913 - what can be different
        self,
        program: Program,
        server: Server,
        *,
        rate: float | None = None,
        one_topic: bool = False,
        pairs: list[Pair] | None = None,
        others: Sequence[tuple[Program, Server]] = (),
    ) -> "Load":
        """Measure; with the world's own pairs, or these. `others`: more nodes of the same relay."""
        scale = self.scale
        made = pairs or ([on_one_topic(pair) for pair in self.pairs] if one_topic else self.pairs)
        job = LoadJob(
            server=server,
            others=[server for _, server in others],
            pairs=made,
            payload=scale.payload,
            window=scale.window,
            rate=rate,
            warm_up=scale.warm_up,
            seconds=scale.seconds,
        )
        programs = [program, *(program for program, _ in others)]
        machine, children, before = _busy(), _children(), sum(each.cpu() for each in programs)
        result = LoadResult.model_validate_json(await ask("benchmarks.load", job))
        cpu = sum(each.cpu() for each in programs) - before
        busy, elapsed = (after - at for after, at in zip(_busy(), machine, strict=True))
        others = max(busy - cpu - (_children() - children), 0) / elapsed
        return Load(result, cpu, others)


@dataclass(frozen=True, slots=True)
class Load:
    """What came of a load, and under which circumstances.

    Attributes:
        server_cpu: seconds of processor time that the server spent.
        others: how many processors were busy with something else meanwhile, on average. Over a tenth of the machine, the
            numbers say more about the others than about the relay.
    """

    result: LoadResult
    server_cpu: float
    others: float


def _busy() -> tuple[float, float]:
    """Seconds that all processors together have worked, and that one of them has had."""
    times = psutil.cpu_times()
    waited = times.idle + getattr(times, "iowait", 0.0)
    return sum(times) - waited - getattr(times, "guest", 0.0), perf_counter()


def _children() -> float:
    """Seconds of processor time of programs of ours that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
