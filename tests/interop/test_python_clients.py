"""paho-mqtt, gmqtt and aiomqtt, as their users use them, against a relay."""

import asyncio
import os
from typing import Any

import aiomqtt
import gmqtt
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from .conftest import Member, Site

PAYLOAD = os.urandom(1_024)
PATIENCE = 20


def properties(message_id: bytes = b"sixteen-byte-id!") -> Properties:
    """What a PUBLISH to a mailbox carries."""
    found = Properties(PacketTypes.PUBLISH)
    found.CorrelationData = message_id
    found.MessageExpiryInterval = 600
    return found


class Paho:
    """A paho client on its own thread, whose callbacks land in queues of the test's loop."""

    def __init__(self, member: Member) -> None:
        loop = asyncio.get_running_loop()
        self.member = member
        self.connected: asyncio.Queue[ReasonCode] = asyncio.Queue()
        self.subscribed: asyncio.Queue[list[ReasonCode]] = asyncio.Queue()
        self.published: asyncio.Queue[ReasonCode] = asyncio.Queue()
        self.messages: asyncio.Queue[paho.MQTTMessage] = asyncio.Queue()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, member.client_id, protocol=paho.MQTTv5)
        self.client.tls_set_context(member.tls)
        put = loop.call_soon_threadsafe
        self.client.on_connect = lambda c, u, f, code, p: put(self.connected.put_nowait, code)
        self.client.on_subscribe = lambda c, u, mid, codes, p: put(self.subscribed.put_nowait, codes)
        self.client.on_publish = lambda c, u, mid, code, p: put(self.published.put_nowait, code)
        self.client.on_message = lambda c, u, message: put(self.messages.put_nowait, message)

    async def __aenter__(self) -> "Paho":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.client.disconnect()
        await asyncio.to_thread(self.client.loop_stop)

    async def connect(self, port: int) -> ReasonCode:
        """Connect and return CONNACK's code."""
        session = Properties(PacketTypes.CONNECT)
        session.SessionExpiryInterval = 600
        await asyncio.to_thread(self.client.connect, "localhost", port, clean_start=False, properties=session)
        self.client.loop_start()
        return await asyncio.wait_for(self.connected.get(), PATIENCE)


async def test_paho_sends_and_receives(site: Site) -> None:
    """Two paho clients exchange a message; the sender's callback gets PUBACK's code."""
    async with Paho(site.alice) as alice, Paho(site.bob) as bob:
        assert not (await bob.connect(site.port)).is_failure
        bob.client.subscribe(site.bob.inbox, options=SubscribeOptions(qos=1))
        assert [code.value for code in await asyncio.wait_for(bob.subscribed.get(), PATIENCE)] == [1]
        assert not (await alice.connect(site.port)).is_failure

        alice.client.publish(site.bob.topic, PAYLOAD, qos=1, properties=properties())

        assert (await asyncio.wait_for(alice.published.get(), PATIENCE)).value == 0
        message = await asyncio.wait_for(bob.messages.get(), PATIENCE)
        assert message.payload == PAYLOAD
        assert message.topic == site.bob.inbox
        assert message.properties is not None
        assert message.properties.CorrelationData == b"sixteen-byte-id!"
        assert 0 < message.properties.MessageExpiryInterval <= 600


async def test_paho_hears_a_refusal(site: Site) -> None:
    """A payload that is no padding bucket: PUBACK 0x99, and the connection goes on."""
    async with Paho(site.alice) as alice:
        await alice.connect(site.port)

        alice.client.publish(site.alice.topic, PAYLOAD + b"x", qos=1, properties=properties())
        assert (await asyncio.wait_for(alice.published.get(), PATIENCE)).value == 0x99
        alice.client.publish(site.alice.topic, PAYLOAD, qos=1, properties=properties())

        assert (await asyncio.wait_for(alice.published.get(), PATIENCE)).value == 0


async def test_aiomqtt_sends_and_receives(site: Site) -> None:
    """Two aiomqtt clients exchange a message."""

    def client(member: Member) -> aiomqtt.Client:
        return aiomqtt.Client(
            "localhost",
            site.port,
            identifier=member.client_id,
            protocol=aiomqtt.ProtocolVersion.V5,
            tls_context=member.tls,
            clean_start=True,
        )

    async with asyncio.timeout(PATIENCE), client(site.bob) as bob, client(site.alice) as alice:
        await bob.subscribe(site.bob.inbox, qos=1)
        await alice.publish(site.bob.topic, PAYLOAD, qos=1, properties=properties())

        message = await anext(aiter(bob.messages))

    assert message.payload == PAYLOAD


async def test_gmqtt_sends_and_receives(site: Site) -> None:
    """Two gmqtt clients exchange a message."""
    received: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    subscribed = asyncio.Event()

    async def on_message(_: Any, topic: str, payload: bytes, qos: int, found: dict[str, Any]) -> int:
        assert topic == site.bob.inbox
        received.set_result(payload)
        return 0

    bob, alice = (gmqtt.Client(member.client_id, clean_session=True) for member in (site.bob, site.alice))
    bob.on_message = on_message
    bob.on_subscribe = lambda *_: subscribed.set()
    async with asyncio.timeout(PATIENCE):
        await bob.connect("localhost", site.port, ssl=site.bob.tls)
        await alice.connect("localhost", site.port, ssl=site.alice.tls)
        bob.subscribe(site.bob.inbox, qos=1)
        await subscribed.wait()
        alice.publish(site.bob.topic, PAYLOAD, qos=1, correlation_data=b"sixteen-byte-id!", message_expiry_interval=600)
        assert await received == PAYLOAD
        await alice.disconnect()
        await bob.disconnect()


async def test_a_stranger_gets_no_session(site: Site) -> None:
    """A client with a certificate and somebody else's client id is refused with CONNACK 0x85."""
    member = Member(site.bob.address, site.alice.pem, site.alice.ca)
    async with Paho(member) as stranger:
        assert (await stranger.connect(site.port)).value == 0x85
