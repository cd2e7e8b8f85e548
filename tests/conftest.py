"""What every room's tests share."""

import os
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from blindrelay.proofs.engines import postgres
from blindrelay.relay import logs
from blindrelay.relay.mailbox import Quota
from blindrelay.relay.server import Relay
from blindrelay.relay.store.engine import Store
from blindrelay.relay.store.postgres.address import Address
from blindrelay.relay.store.postgres.store import PostgresStore
from blindrelay.relay.store.sqlite import SqliteStore
from support import ports, site
from support.cluster import Spread, cluster
from support.nats import NatsServer, nats_server
from support.one_proof import OneProof, one_proof
from support.tenants import Tenant

# A key that the inventory does not declare is an error here. The stream outlives every test's own capture.
logs.configure(strict=True, stream=sys.__stderr__)

# How long an example takes is for the benchmarks to say: here a busy machine would be a failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

# Whoever runs the suite in the background of a script starts it with SIGINT ignored, and so would be all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Debian keeps servers in sbin and PostgreSQL's programs in a folder of their own, which are not on everybody's path.
# What a wheel has brought is beside the interpreter.
_PATH = os.pathsep.join(
    [
        os.environ.get("PATH", os.defpath),
        "/usr/sbin",
        "/sbin",
        str(postgres.programs() or ""),
        str(Path(sys.executable).parent),
    ]
)

_POSTGRES = pytest.param("postgresql", marks=pytest.mark.needs("initdb"))
_NODES = pytest.param("nodes", marks=pytest.mark.needs("initdb", "nats-server"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Carry out `@pytest.mark.both_engines`: with SQLite, once more with PostgreSQL, and once with three nodes over it.

    With three nodes `relay` is whichever of them is next, so that each client is at another one. `@pytest.mark.one_node` leaves
    that out, where a test looks into the one relay that there is. `@pytest.mark.engine(NAME)`: with that one alone.
    """
    marked = metafunc.definition.get_closest_marker
    if "engine" not in metafunc.fixturenames:
        return
    if (only := marked("engine")) is not None:
        metafunc.parametrize(
            "engine", [_POSTGRES if name == "postgresql" else name for name in only.args], indirect=True
        )
    elif marked("both_engines"):
        spread = "relay" in metafunc.fixturenames and marked("one_node") is None
        metafunc.parametrize("engine", ["sqlite", _POSTGRES, *([_NODES] if spread else [])], indirect=True)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Carry out `@pytest.mark.needs("program")`: skip where the program is absent, but never on the CI, which installs it."""
    for marker in item.iter_markers("needs"):
        for program in marker.args:
            if shutil.which(program, path=_PATH) is None:
                if os.environ.get("CI"):
                    pytest.fail(f"{program} is not installed, and .ci/run should have done so", pytrace=False)
                pytest.skip(f"{program} is not installed")


@pytest.fixture
def door() -> Iterator[socket.socket]:
    """A port that is kept while relays come and go. Nobody listens on it before the first."""
    with ports.held_port() as door:
        yield door


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """A PostgreSQL server for all tests of this process. Ask for it where `initdb` is known to be there."""
    with postgres.server(postgres.UNSAFE) as server:
        yield server


@pytest.fixture
def new_database(postgres_server: postgres.Server) -> Iterator[str]:
    """The address of a database of the test's own, with the schema in it and nothing else."""
    url = postgres_server.new_database()
    yield url
    postgres_server.drop(url)


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    """`sqlite`, unless the test has been given another one."""
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture
def store_url(engine: str, request: pytest.FixtureRequest) -> str | None:
    """The address of an empty database with the schema in it; None: SQLite in the data directory."""
    return None if engine == "sqlite" else str(request.getfixturevalue("new_database"))


@pytest.fixture(scope="session")
def nats() -> Iterator[NatsServer]:
    """A NATS server for all tests of this process, that nobody stops."""
    with nats_server() as running:
        yield running


@pytest.fixture
def open_store(store_url: str | None, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Opens the store of a test, again and again: what a restart does. All are closed at the end."""
    opened: list[Store] = []

    def open_it() -> Store:
        for before in opened:
            before.close()
        if store_url is None:
            opened[:] = [SqliteStore.open(tmp_path / "relay.db", reserve_bytes=0)]
        else:
            opened[:] = [PostgresStore.open(Address.parse(store_url), Quota())]
        return opened[0]

    yield open_it
    for store in opened:
        store.close()


@pytest.fixture
async def relay(
    tmp_path: Path, engine: str, store_url: str | None, request: pytest.FixtureRequest
) -> AsyncIterator[Relay]:
    """A running relay on a free port of the loopback, TLS and all."""
    if engine == "nodes":
        assert store_url is not None
        async with cluster(tmp_path, store_url, [request.getfixturevalue("nats").url]) as running:
            yield Spread(running)  # type: ignore[misc]
        return
    async with site.relay_in(tmp_path / "relay", store=store_url) as relay:
        yield relay


@pytest.fixture
async def acme(relay: Relay, tmp_path: Path) -> Tenant:
    """A tenant that is registered with `relay`."""
    return await site.register(relay, Tenant("acme.example", tmp_path))


@pytest.fixture
async def globex(relay: Relay, tmp_path: Path) -> Tenant:
    """Another one."""
    return await site.register(relay, Tenant("globex.example", tmp_path))


@pytest.fixture(scope="session")
def proved(tmp_path_factory: pytest.TempPathFactory) -> OneProof:
    """A proof that was carried out, and its evidence. Nothing of it is to be changed."""
    return one_proof(tmp_path_factory)
