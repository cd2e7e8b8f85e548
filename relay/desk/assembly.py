"""A whole desk: policies, case file, what it acts through, and its doors. What `server.Relay` opens when it is to have one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from blindrelay import __version__
from blindrelay.policies.findings import PacksRejected
from blindrelay.policies.locations import pack_folders
from blindrelay.policies.packs import Policies
from blindrelay.protocol.clock import Clock
from blindrelay.relay.config import Retention, Settings
from blindrelay.relay.desk.desk import Desk
from blindrelay.relay.desk.errors import CaseFileDamaged
from blindrelay.relay.desk.http.opening import Place, doors_of, open_doors
from blindrelay.relay.desk.http.operators import operator_router
from blindrelay.relay.desk.identity import DeskIdentity
from blindrelay.relay.desk.notices import NoticeBoard
from blindrelay.relay.desk.package import PackageMaker
from blindrelay.relay.desk.ports import Preservation, Streams
from blindrelay.relay.desk.rules import PolicyRules
from blindrelay.relay.desk.service import ServiceStates
from blindrelay.relay.desk.stream import Connections, Exchange, Ledger, RealTimeOrders
from blindrelay.relay.desk.work import Ports
from blindrelay.relay.errors import BadConfiguration, Unreadable
from blindrelay.relay.store.metadata import OpenMetadata
from blindrelay.relay.tenants import Tenants

# How late the desk may find that a date has come: release, deletion, notice. Real-time orders end by themselves, to the second.
_TICK_INTERVAL: Final = 10.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What of the relay the desk works with. `folder` is the data directory; `keys` is where the relay's keys are."""

    folder: Path
    keys: Path
    metadata: OpenMetadata
    certificate: Path
    key: Path
    identity: DeskIdentity
    preservation: Preservation
    streams: Streams
    services: ServiceStates
    notices: NoticeBoard
    tenants: Tenants


@asynccontextmanager
async def open_desk(around: Surroundings, settings: Settings, clock: Clock) -> AsyncIterator[tuple[Desk, int]]:
    """Open the desk and its doors; yields it and its port. Closed on leaving: first the doors, then the case file.

    Raises:
        BadConfiguration: a policy pack does not load.
        Unreadable, NewerVersion, AddressInUse: as for the relay itself.
    """
    policies = load_policies(settings.desk.packs)
    ports = Ports(
        packages=PackageMaker(around.metadata, around.identity),
        preservation=around.preservation,
        streams=around.streams,
        services=around.services,
        notices=around.notices,
    )
    try:
        desk = Desk.open(
            around.folder,
            around.metadata,
            PolicyRules(policies),
            ports,
            clock=clock,
            settings=settings.desk,
            retention=settings.retention,
            logs=settings.logs,
            identity=around.keys,
        )
    except CaseFileDamaged as error:
        raise Unreadable(str(error)) from error
    async with AsyncExitStack() as stack:
        stack.push_async_callback(desk.close)
        await desk.start()
        doors = doors_of(
            desk,
            journal=desk.journal,
            register=desk.register,
            identity=around.identity,
            jurisdictions=tuple(policies.packs),
            clock=clock,
            version=__version__,
            operators=operator_router(desk, around.services, around.tenants),
        )
        place = Place(settings.host, settings.desk_port, around.certificate, around.key)
        server, port = await open_doors(doors, place)
        stack.push_async_callback(server.stop)
        stack.push_async_callback(_cancel, asyncio.create_task(_tick(desk)))
        yield desk, port


@asynccontextmanager
async def open_streams(  # noqa: PLR0913 - what they stand between
    metadata: OpenMetadata,
    exchange: Exchange,
    ledger: Ledger,
    clock: Clock,
    retention: Retention,
    *,
    connections: Connections | None = None,
) -> AsyncIterator[RealTimeOrders]:
    """Real-time orders on the message path; stopped on leaving. `connections`: those to all nodes, if there are several."""
    orders = RealTimeOrders(
        metadata,
        exchange=exchange,
        ledger=ledger,
        now=clock.now,
        traffic_days=retention.traffic_days,
        connections=connections,
    )
    await orders.start()
    try:
        yield orders
    finally:
        await orders.stop()


def load_policies(own: Sequence[Path]) -> Policies:
    """The packs that come along, and the operator's own beside them or, for a jurisdiction that has one, in their place.

    Raises `BadConfiguration`: one of them does not load; the message says where and why.
    """
    try:
        folders = {folder.name: folder for folder in pack_folders()}
        if own:
            folders |= {folder.name: folder for folder in pack_folders(own)}
        return Policies.load(list(folders.values()))
    except PacksRejected as error:
        raise BadConfiguration(f"the policies do not load, and nothing is decided by half of them:\n{error}") from error


async def _tick(desk: Desk) -> None:
    while True:
        await asyncio.sleep(_TICK_INTERVAL)
        await desk.tick()


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
