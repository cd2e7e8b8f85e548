"""The adapter around aiomqtt, and what it relies on in there."""

import asyncio
import contextlib
import gc
import inspect
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiomqtt
import mqtt5
import paho.mqtt.client as paho
import pytest

from blindrelay.clients.errors import AdmissionRefused, RelayUnreachable, TimedOut
from blindrelay.clients.link import Ending, Inbound, Link, PublishProperties
from support import ports
from support.party import HandClock

# --- the contract with aiomqtt and paho: a release that changes one of these breaks the adapter

OVERRIDDEN = (
    "_on_connect",
    "_on_disconnect",
    "_on_message",
    "_on_publish",
    "_on_socket_open",
    "_on_socket_register_write",
)
USED = ("_client_connect", "_misc_loop", "_on_socket_close", "_on_socket_unregister_write", "subscribe")


@pytest.mark.parametrize("name", OVERRIDDEN)
def test_what_is_overridden_is_called_by_aiomqtt_with_the_same_parameters(name: str) -> None:
    """An override replaces a method that exists, takes what it takes, and is given to paho by the constructor."""
    theirs = inspect.signature(getattr(aiomqtt.Client, name))
    ours = inspect.signature(getattr(Link, name))
    assert list(ours.parameters) == list(theirs.parameters)
    assert f"self.{name}" in inspect.getsource(aiomqtt.Client.__init__)


@pytest.mark.parametrize("name", USED)
def test_what_is_used_of_aiomqtt_exists(name: str) -> None:
    """The adapter keeps these as aiomqtt has them."""
    assert callable(getattr(aiomqtt.Client, name))


def test_the_constructor_takes_what_we_give() -> None:
    """Every keyword of ours is one of aiomqtt's constructor."""
    known = inspect.signature(aiomqtt.Client.__init__).parameters
    for keyword in (
        "identifier",
        "protocol",
        "keepalive",
        "clean_start",
        "max_inflight_messages",
        "max_queued_outgoing_messages",
        "properties",
        "tls_context",
        "timeout",
    ):
        assert keyword in known


def test_paho_encodes_properties_by_pack_alone() -> None:
    """Our own properties are encoded late, by `pack`; paho must not look into them otherwise."""
    source = inspect.getsource(paho.Client._send_publish)
    assert "properties.pack()" in source
    assert "self._ssl_wrap_socket(sock)" in inspect.getsource(paho.Client._create_socket)
    for method in (
        "ack",
        "manual_ack_set",
        "drop_out_messages",
        "_sock_close",
        "loop_read",
        "loop_write",
        "_ssl_wrap_socket",
    ):
        assert callable(getattr(paho.Client, method))


# --- properties


def test_properties_are_what_the_codec_reads() -> None:
    """Correlation data, response topic and expiry survive the encoding, and a topic of any length does."""
    for topic in ("", "v1/reply/x", "v1/reply/" + "x" * 240):
        clock = HandClock(1_000.0)
        properties = PublishProperties(b"0123456789abcdef", response_topic=topic, expires_at=1_060, clock=clock)
        packet = _publish(properties)
        assert packet.correlation_data == b"0123456789abcdef"
        assert (packet.response_topic or "") == topic
        assert packet.message_expiry_interval == 60


def test_the_interval_counts_down_until_it_is_sent_and_never_reaches_zero() -> None:
    """3.3.2-6 from our side: what is left is sent, and 0, which would mean "never", is not."""
    clock = HandClock(1_000.0)
    properties = PublishProperties(b"0" * 16, expires_at=1_060, clock=clock)
    clock.at = 1_059.0
    assert _publish(properties).message_expiry_interval == 1
    clock.at = 2_000.0
    assert _publish(properties).message_expiry_interval == 1


def _publish(properties: PublishProperties) -> mqtt5.PublishPacket:
    body = struct.pack("!H", 4) + b"v1/x" + struct.pack("!H", 7) + properties.pack() + b"payload"
    length = bytes([len(body)]) if len(body) < 128 else bytes([len(body) & 127 | 128, len(body) >> 7])
    packet, _ = mqtt5.read(memoryview(b"\x32" + length + body))
    assert isinstance(packet, mqtt5.PublishPacket)
    return packet


# --- behaviour, against a server that says exactly what a test wants


class Server:
    """One connection at a time, without TLS: packets in, packets out."""

    def __init__(self) -> None:
        self.packets: asyncio.Queue[Any] = asyncio.Queue()
        self.writer: asyncio.StreamWriter | None = None
        self.port = 0
        self.connack: dict[str, Any] | None = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer CONNECT, then only listen."""
        self.writer = writer
        buffer = b""
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(65_536):
                buffer += chunk
                while buffer:
                    try:
                        packet, used = mqtt5.read(memoryview(buffer))
                    except IndexError:
                        break
                    buffer = buffer[used:]
                    if isinstance(packet, mqtt5.ConnectPacket) and self.connack is not None:
                        self.send(mqtt5.ConnAckPacket(**self.connack))
                    self.packets.put_nowait(packet)
        writer.close()

    def send(self, packet: Any) -> None:
        """Write one packet."""
        assert self.writer is not None
        self.writer.write(packet.write())

    async def next(self, kind: type) -> Any:
        """The next packet that came, which must be of `kind`."""
        packet = await asyncio.wait_for(self.packets.get(), 20)
        assert isinstance(packet, kind), packet
        return packet


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A server on a free port."""
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    yield server
    listening.close()
    if server.writer is not None:
        server.writer.close()
    await listening.wait_closed()


class Notes:
    """What the link told."""

    def __init__(self) -> None:
        self.received: asyncio.Queue[Inbound] = asyncio.Queue()
        self.ended: asyncio.Queue[Ending] = asyncio.Queue()
        self.settled: asyncio.Queue[tuple[int, str]] = asyncio.Queue()

    def settle(self, code: int, reason: str) -> None:
        """Note a PUBACK."""
        self.settled.put_nowait((code, reason))


Make = Callable[..., Link]


@pytest.fixture
async def make(server: Server) -> AsyncIterator[tuple[Make, Notes]]:
    """Makes links to the server, and closes them."""
    notes, links = Notes(), []

    def link(**options: Any) -> Link:
        values: dict[str, Any] = {"client_id": "acme.example/alice/laptop", "session_expiry": 60, "timeout": 20.0}
        made = Link(
            "127.0.0.1",
            server.port,
            options.pop("context", None),
            received=notes.received.put_nowait,
            ended=notes.ended.put_nowait,
            **{**values, **options},
        )
        links.append(made)
        return made

    yield link, notes
    for link_ in links:
        link_.drop()


async def post(link: Link, notes: Notes, payload: bytes = b"payload") -> None:
    """Publish something."""
    properties = PublishProperties(b"0" * 16, expires_at=2**31, clock=HandClock())
    link.post("v1/to/a.example/b/c", payload, properties, notes.settle)


async def test_connect_says_what_the_profile_asks(server: Server, make: tuple[Make, Notes]) -> None:
    """Client id, session expiry, receive maximum and version are in CONNECT; a process begins with a clean start."""
    session = await make[0]().open()
    connect = await server.next(mqtt5.ConnectPacket)
    assert (connect.client_id, connect.session_expiry_interval, connect.clean_start) == (
        "acme.example/alice/laptop",
        60,
        True,
    )
    assert connect.receive_max == 64
    assert dict(connect.user_properties)["client-version"].startswith("blindrelay/")
    assert not session.resumed


async def test_a_message_is_acknowledged_when_we_say_so(server: Server, make: tuple[Make, Notes]) -> None:
    """Nothing is acknowledged by receiving it: aiomqtt alone would have done so already."""
    link, notes = make[0](), make[1]
    await link.open()
    await server.next(mqtt5.ConnectPacket)
    server.send(mqtt5.PublishPacket("v1/inbox/x", payload=b"hello", qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=9))
    inbound = await asyncio.wait_for(notes.received.get(), 20)
    await post(link, notes)  # whatever paho had to say on its own would come before this
    await server.next(mqtt5.PublishPacket)

    link.acknowledge(inbound)

    assert (await server.next(mqtt5.PubAckPacket)).packet_id == 9


async def test_a_message_of_an_earlier_connection_is_not_acknowledged(server: Server, make: tuple[Make, Notes]) -> None:
    """Its packet id may be another message's by now."""
    link, notes = make[0](), make[1]
    await link.open()
    await server.next(mqtt5.ConnectPacket)
    server.send(mqtt5.PublishPacket("v1/inbox/x", payload=b"hello", qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=9))
    inbound = await asyncio.wait_for(notes.received.get(), 20)
    link.drop()
    await link.open()
    await server.next(mqtt5.ConnectPacket)

    link.acknowledge(inbound)
    await post(link, notes)

    await server.next(mqtt5.PublishPacket)


async def test_reason_codes_of_puback_reach_the_sender(server: Server, make: tuple[Make, Notes]) -> None:
    """A refusal comes with its code and reason string, an acceptance without."""
    link, notes = make[0](), make[1]
    await link.open()
    await server.next(mqtt5.ConnectPacket)
    for code, reason in ((mqtt5.PubAckReasonCode.SUCCESS, None), (mqtt5.PubAckReasonCode.QUOTA_EXCEEDED, "inbox full")):
        await post(link, notes)
        packet = await server.next(mqtt5.PublishPacket)
        server.send(mqtt5.PubAckPacket(packet.packet_id, reason_code=code, reason_str=reason))
        expected = (0x97, "inbox full") if reason else (0, "")
        assert await asyncio.wait_for(notes.settled.get(), 20) == expected


async def test_the_relays_receive_maximum_is_what_is_free(server: Server, make: tuple[Make, Notes]) -> None:
    """3.3.4-8: never more in flight than the server said in CONNACK; a PUBACK frees a place."""
    server.connack = {"receive_max": 2}
    link, notes = make[0](), make[1]
    assert link.free == 0
    await link.open()
    await server.next(mqtt5.ConnectPacket)
    assert link.free == 2
    await post(link, notes)
    await post(link, notes)
    assert link.free == 0
    first = await server.next(mqtt5.PublishPacket)
    server.send(mqtt5.PubAckPacket(first.packet_id))
    await asyncio.wait_for(notes.settled.get(), 20)
    assert link.free == 1


async def test_a_resumed_session_repeats_with_the_original_packet_id(server: Server, make: tuple[Make, Notes]) -> None:
    """4.4.0-1, 3.3.1-1: after a loss, clean start is 0, and what has no PUBACK is sent again, same id, DUP 1."""
    link, notes = make[0](), make[1]
    await link.open()
    await server.next(mqtt5.ConnectPacket)
    await post(link, notes, b"once")
    first = await server.next(mqtt5.PublishPacket)
    link.drop()
    server.connack = {"session_present": True}

    session = await link.open()

    assert session.resumed
    assert not (await server.next(mqtt5.ConnectPacket)).clean_start
    again = await server.next(mqtt5.PublishPacket)
    assert (again.packet_id, again.duplicate, again.payload) == (first.packet_id, True, b"once")
    server.send(mqtt5.PubAckPacket(again.packet_id))
    assert await asyncio.wait_for(notes.settled.get(), 20) == (0, "")


async def test_a_lost_session_is_forgotten_here_too(server: Server, make: tuple[Make, Notes]) -> None:
    """3.2.2-5: without Session Present nothing is repeated by itself; whoever posted it posts it anew, as a new packet."""
    link, notes = make[0](), make[1]
    await link.open()
    await server.next(mqtt5.ConnectPacket)
    await post(link, notes, b"lost")
    await server.next(mqtt5.PublishPacket)
    link.drop()

    session = await link.open()
    await server.next(mqtt5.ConnectPacket)
    await post(link, notes, b"anew")

    assert not session.resumed
    anew = await server.next(mqtt5.PublishPacket)
    assert (anew.payload, anew.duplicate) == (b"anew", False)


async def test_a_refused_connect_says_why(server: Server, make: tuple[Make, Notes]) -> None:
    """CONNACK's code and reason string are the error."""
    server.connack = {"reason_code": mqtt5.ConnAckReasonCode.NOT_AUTHORIZED, "reason_str": "revoked"}
    with pytest.raises(AdmissionRefused, match="revoked") as caught:
        await make[0]().open()
    assert caught.value.code == 0x87


async def test_a_second_entry_waits_for_its_own_connack(server: Server, make: tuple[Make, Notes]) -> None:
    """aiomqtt would take the first connection's CONNACK for the second's; a refusal then went unseen."""
    link, _ = make[0](), make[1]
    await link.open()
    link.drop()
    server.connack = {"reason_code": mqtt5.ConnAckReasonCode.NOT_AUTHORIZED}
    with pytest.raises(AdmissionRefused):
        await link.open()


async def test_a_disconnect_from_the_relay_says_why(server: Server, make: tuple[Make, Notes]) -> None:
    """The reason code of the relay's DISCONNECT is the ending's."""
    link, notes = make[0](), make[1]
    await link.open()
    await server.next(mqtt5.ConnectPacket)
    server.send(mqtt5.DisconnectPacket(reason_code=mqtt5.DisconnectReasonCode.SESSION_TAKEN_OVER))
    ending = await asyncio.wait_for(notes.ended.get(), 20)
    assert ending.code == 0x8E
    assert not link.up


async def test_a_connection_that_breaks_is_an_ending_without_a_code(server: Server, make: tuple[Make, Notes]) -> None:
    """When the socket just closes, nobody said why."""
    link, notes = make[0](), make[1]
    await link.open()
    assert server.writer is not None
    server.writer.close()
    assert (await asyncio.wait_for(notes.ended.get(), 20)).code is None


async def test_no_answer_is_a_time_out_and_leaves_nothing_open(server: Server, make: tuple[Make, Notes]) -> None:
    """A relay that accepts and says nothing does not keep us for ever, nor the socket."""
    server.connack = None
    with pytest.raises(TimedOut):
        await make[0](timeout=0.2).open()
    await server.next(mqtt5.ConnectPacket)
    assert server.writer is not None
    await asyncio.wait_for(server.writer.wait_closed(), 20)


async def test_a_cancelled_open_leaves_nothing_open(server: Server, make: tuple[Make, Notes]) -> None:
    """Cancelled while it waits for CONNACK, the connection is closed."""
    server.connack = None
    opening = asyncio.create_task(make[0]().open())
    await server.next(mqtt5.ConnectPacket)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert server.writer is not None
    await asyncio.wait_for(server.writer.wait_closed(), 20)


async def test_nobody_there_says_what_to_run(door: socket.socket) -> None:
    """Connection refused names the address and the command that helps."""
    link = Link(
        "127.0.0.1",
        ports.number(door),
        None,  # type: ignore[arg-type]
        client_id="",
        session_expiry=0,
        received=lambda _: None,
        ended=lambda _: None,
    )
    with pytest.raises(RelayUnreachable, match="blindrelay up"):
        await link.open()


async def test_rubbish_from_the_relay_ends_the_connection(server: Server, make: tuple[Make, Notes]) -> None:
    """Bytes that are no packet break the connection and nothing else."""
    link, notes = make[0](), make[1]
    await link.open()
    assert server.writer is not None
    server.writer.write(b"\x30\x02\xff\xff\xff\xff")
    assert (await asyncio.wait_for(notes.ended.get(), 20)).code is None


async def test_close_says_goodbye_behind_everything_else(server: Server, make: tuple[Make, Notes]) -> None:
    """What was posted is written before DISCONNECT, which is the last packet."""
    link, notes = make[0](), make[1]
    await link.open()
    await server.next(mqtt5.ConnectPacket)
    await post(link, notes)
    await link.close()
    await server.next(mqtt5.PublishPacket)
    assert (await server.next(mqtt5.DisconnectPacket)).reason_code == 0
    await link.close()


async def test_a_handshake_that_fails_leaves_nothing_open(server: Server, make: tuple[Make, Notes]) -> None:
    """What answers without TLS is no relay; the socket is closed (an open one would be a warning, and so an error)."""
    link = make[0](context=ssl.create_default_context(), timeout=0.5)
    with pytest.raises((RelayUnreachable, TimedOut)):
        await link.open()
    gc.collect()
