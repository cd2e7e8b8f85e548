"""A running relay with tenants: the stage of most tests."""

import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

from blindrelay.protocol import rpc
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.credentials import REGISTRAR
from blindrelay.relay.config import Settings
from blindrelay.relay.mqtt.listener import TimeLimits
from blindrelay.relay.server import Relay

from .tenants import Badge, Tenant
from .wire import Client

# A peer that has been sent its DISCONNECT is cut after this: tests do not wait half a second for each.
QUICK = TimeLimits(linger=0.05, sweep=0.05)


def relay_in(
    folder: Path, *, clock: Clock | None = None, door: socket.socket | None = None, **settings: object
) -> Relay:
    """A relay on a free port of the loopback, or on `door`, with its data in `folder`."""
    # Most tests ask for no desk: it takes half a second to open.
    values = {"data_dir": folder, "port": 0, "desk": {"enabled": False}, **settings}
    return Relay(Settings.model_validate(values), clock, times=QUICK, door=door)


async def register(relay: Relay, tenant: Tenant) -> Tenant:
    """Register a tenant the way that everybody does."""
    async with Client(relay) as registrar:
        answer = await registrar.connect("", username=REGISTRAR, password=relay.registration_code.encode())
        assert answer.reason_code == 0
        await registrar.call(rpc.REGISTER_TENANT, rpc.RegisterTenant(tenant=tenant.name, root=tenant.root_der))
    return tenant


@contextlib.asynccontextmanager
async def connected(relay: Relay, badge: Badge, **options: object) -> AsyncIterator[Client]:
    """A client that has been admitted."""
    async with Client(relay, badge) as client:
        answer = await client.connect(**options)  # type: ignore[arg-type]
        assert answer.reason_code == 0, answer
        yield client
