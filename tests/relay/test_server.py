"""A whole relay, from outside: what it carries, what survives its end, and how it ends."""

import asyncio
from pathlib import Path

import mqtt5
import pytest

from blindrelay.protocol import topics
from blindrelay.relay.server import Relay
from support import site
from support.site import connected
from support.tenants import Tenant
from support.wire import Client


async def test_a_message_reaches_the_recipient(relay: Relay, acme: Tenant, globex: Tenant) -> None:
    """What one tenant's device publishes arrives at another tenant's device, byte for byte, with its id and expiry."""
    alice, bob = acme.device("alice", "laptop"), globex.device("bob", "phone")
    async with connected(relay, alice) as sender, connected(relay, bob) as recipient:
        await recipient.open_inbox()
        answer = await sender.publish(
            bob.device, b"\x07" * 1_024, correlation_data=b"i" * 16, message_expiry_interval=60
        )
        message = await recipient.receive()

    assert answer.reason_code == 0
    assert (message.topic, message.payload, message.correlation_data) == (
        topics.inbox(bob.device),
        b"\x07" * 1_024,
        b"i" * 16,
    )
    assert message.message_expiry_interval is not None
    assert message.message_expiry_interval <= 60


async def test_waiting_mail_survives_a_restart(tmp_path: Path) -> None:
    """Tenants, devices and mail are there again after a restart, and nobody has to be registered anew."""
    folder = tmp_path / "relay"
    acme = Tenant("acme.example", tmp_path)
    alice, bob = acme.device("alice", "laptop"), acme.device("bob", "phone")
    async with site.relay_in(folder) as relay:
        await site.register(relay, acme)
        async with connected(relay, bob), connected(relay, alice) as sender:
            assert (await sender.publish(bob.device, b"\x01" * 1_024)).reason_code == 0
    async with site.relay_in(folder) as relay, connected(relay, bob) as recipient:
        await recipient.open_inbox()

        assert (await recipient.receive()).payload == b"\x01" * 1_024


async def test_a_stop_says_goodbye(tmp_path: Path) -> None:
    """Clients of a relay that stops are told so (DISCONNECT 0x8B), and the port is free again."""
    acme = Tenant("acme.example", tmp_path)
    relay = site.relay_in(tmp_path / "relay")
    await relay.start()
    await site.register(relay, acme)
    async with connected(relay, acme.device("alice", "laptop")) as client:
        stopping = asyncio.create_task(relay.stop())

        goodbye = await client.expect(mqtt5.DisconnectPacket)
        assert goodbye.reason_code is mqtt5.DisconnectReasonCode.SERVER_SHUTTING_DOWN
        await client.wait_closed()
        await stopping
        with pytest.raises(ConnectionRefusedError):
            await Client(relay).__aenter__()
