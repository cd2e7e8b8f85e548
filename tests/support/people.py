"""Enterprises and people on a running relay."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

from blindrelay.clients import Device, Enterprise, Hygiene, Options, RelayAddress
from blindrelay.clients.connection import Backoff
from blindrelay.relay.server import Relay

#: How people behave in tests: nobody waits longer than they must.
BRISK = Options(
    backoff=Backoff(first=0.02, most=0.1),
    hygiene=Hygiene(opening=(0.0, 0.01), receipt=(0.0, 0.01), idle=(5.0, 6.0)),
    timeout=20.0,
)
#: Seconds that a test allows for what takes milliseconds: the machine may be busy.
SOON = 30.0


def address_of(relay: Relay, *, code: bool = True) -> RelayAddress:
    """What clients must know about a relay."""
    return RelayAddress(
        "127.0.0.1", relay.port, relay.certificate.read_bytes(), relay.registration_code if code else None
    )


@contextlib.asynccontextmanager
async def enterprise(relay: Relay, name: str, options: Options = BRISK) -> AsyncIterator[Enterprise]:
    """An enterprise that the relay knows."""
    async with Enterprise.create(name, address_of(relay), options=options) as founded:
        yield founded


async def person(enterprise: Enterprise, user: str, device: str = "phone", **options: object) -> Device:
    """A device with some habits of its own."""
    return await enterprise.enrol(user, device, options=replace(BRISK, **options))  # type: ignore[arg-type]
