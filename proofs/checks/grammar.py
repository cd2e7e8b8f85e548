"""The profile's grammar: which packets there may be on a connection, and what may be in them."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import mqtt5
from pydantic import ValidationError

from blindrelay.proofs.checks.model import Report
from blindrelay.proofs.evidence.folder import Connection
from blindrelay.proofs.evidence.mqtt import NotMqtt, Passed, packets
from blindrelay.protocol import topics
from blindrelay.protocol.address import DeviceAddress, UserAddress
from blindrelay.protocol.credentials import CLIENT_VERSION, CLIENT_VERSION_PROPERTY, REGISTRAR
from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.notices import Nudge
from blindrelay.protocol.rpc import METHODS, Answer
from blindrelay.protocol.sizes import BUCKETS, MAX_TTL, MESSAGE_ID_LENGTH

REASONS: Final = {
    "not-mqtt": "bytes that are no MQTT 5 packet, or that mean another one",
    "property": "a packet carries a property, will, flag or name that the profile has no use for",
    "topic": "a topic outside the profile",
    "size": "an envelope whose length is no padding bucket",
    "request": "a request or answer that is not of its method's form, or has more in it",
}
#: `session_expiry_interval` of zero, which is also what leaving it out means.
_STATED_EXPIRY: Final = 5
_VERSION: Final = re.compile(CLIENT_VERSION)


@dataclass(frozen=True, slots=True)
class Published:
    """An envelope on its way, in either direction."""

    connection: Connection
    recipient: str
    message_id: bytes
    payload: bytes = field(repr=False)


@dataclass(slots=True)
class Talk:
    """What a connection has said about itself, and what came over it.

    Attributes:
        client_id, username, password: of its CONNECT.
        envelopes: in the order in which they came; `sent` by the client, `delivered` to it.
        requests, answers: by correlation data: the method, and the JSON of the answer.
    """

    connection: Connection
    client_id: str = ""
    username: str = ""
    password: bytes = field(default=b"", repr=False)
    sent: list[Published] = field(default_factory=list)
    delivered: list[Published] = field(default_factory=list)
    requests: dict[bytes, tuple[str, bytes]] = field(default_factory=dict)
    answers: list[tuple[str, Any, Any]] = field(default_factory=list)

    @property
    def is_sealed(self) -> bool:
        """Whether the sender shows a delivery token, and nothing of their own."""
        return not self.client_id and "@" in self.username


def examine(connection: Connection, report: Report) -> list[Talk]:
    """Hold both directions of a connection to the grammar."""
    talk = Talk(connection)
    for direction, records in (("up", connection.tls.sent), ("down", connection.tls.answered)):
        try:
            for passed in packets(records):
                report.examined("packets")
                _Grammar(talk, report, direction).hold(passed)
        except NotMqtt as error:
            report.find("not-mqtt", f"connection {connection.name}, {direction}: {error}")
    return [talk]


class _Grammar:
    """Holds one packet to the profile."""

    def __init__(self, talk: Talk, report: Report, direction: str) -> None:
        self._talk = talk
        self._report = report
        self._direction = direction

    @property
    def _where(self) -> str:
        whose = self._talk.client_id or self._talk.username or "somebody"
        return f"connection {self._talk.connection.name}, {'from' if self._direction == 'up' else 'to'} {whose}"

    def hold(self, passed: Passed) -> None:
        """Find what is not as it should be, and remember what is."""
        packet = passed.packet
        # Properties may come in any order, and one may be stated that is so anyway; but no byte may mean nothing.
        stated = _STATED_EXPIRY if isinstance(packet, mqtt5.ConnectPacket) and not packet.session_expiry_interval else 0
        if len(passed.raw) - len(packet.write()) not in {0, stated}:
            self._find("not-mqtt", f"a {type(packet).__name__} has bytes that mean nothing")
        hold = _HOLD.get((self._direction, type(packet)))
        if hold is None:
            self._find("property", f"a {type(packet).__name__} has no place in this direction")
        else:
            hold(self, packet)

    def _find(self, reason: str, text: str) -> None:
        self._report.find(reason, f"{self._where}: {text}")

    def _nothing_but(self, packet: Any, allowed: set[str]) -> None:
        """No field is set but those: every field that the codec knows is looked at, those of later versions of it, too."""
        plain = type(packet)(**_required(packet))
        for name in _fields(packet):
            if name not in allowed and getattr(packet, name) != getattr(plain, name, None):
                self._find("property", f"a {type(packet).__name__} has {name} = {getattr(packet, name)!r:.80}")

    def connect(self, packet: mqtt5.ConnectPacket) -> None:
        """Who it is, and how the session is to be."""
        talk = self._talk
        talk.client_id, talk.username, talk.password = packet.client_id, packet.username or "", packet.password or b""
        self._nothing_but(packet, _CONNECT)
        for name, value in packet.user_properties or ():
            if name != CLIENT_VERSION_PROPERTY or not _VERSION.fullmatch(value):
                self._find("property", f"CONNECT has the user property {name!r:.40} = {value!r:.80}")
        try:
            if packet.client_id:
                DeviceAddress.parse(packet.client_id)
            if talk.username and talk.username != REGISTRAR:
                UserAddress.parse(talk.username)
        except Malformed as error:
            self._find("property", f"CONNECT names {packet.client_id!r:.80} and {talk.username!r:.80}: {error}")
        if packet.client_id and talk.username:
            self._find(
                "linkable", f"a connection shows both its device {packet.client_id} and a token for {talk.username}"
            )

    def publish_up(self, packet: mqtt5.PublishPacket) -> None:
        """An envelope, or a request."""
        if packet.topic.startswith(topics.RPC):
            self._request(packet)
            return
        try:
            recipient = str(topics.recipient(packet.topic))
        except Malformed:
            self._find("topic", f"something is published to {packet.topic!r:.120}")
            return
        if not packet.topic.startswith(topics.TO):
            self._find("topic", f"a client publishes to {packet.topic!r:.120}")
        self._talk.sent.append(self._envelope(packet, recipient))

    def publish_down(self, packet: mqtt5.PublishPacket) -> None:
        """An envelope, or an answer."""
        if packet.topic.startswith(topics.REPLY):
            self._answer(packet)
            return
        if packet.topic != f"{topics.INBOX}{self._talk.client_id}":
            self._find("topic", f"the relay publishes to {packet.topic!r:.120}")
            return
        self._talk.delivered.append(self._envelope(packet, self._talk.client_id))

    def _envelope(self, packet: mqtt5.PublishPacket, recipient: str) -> Published:
        self._report.examined("envelopes on the wire")
        self._nothing_but(packet, _ENVELOPE)
        message_id = packet.correlation_data or b""
        if len(packet.payload) not in BUCKETS:
            self._find("size", f"an envelope to {recipient} has {len(packet.payload)} bytes")
        if len(message_id) != MESSAGE_ID_LENGTH or not 0 < (packet.message_expiry_interval or 0) <= MAX_TTL:
            self._find("property", f"an envelope to {recipient} with an id or an expiry that is none")
        return Published(self._talk.connection, recipient, message_id, packet.payload)

    def _request(self, packet: mqtt5.PublishPacket) -> None:
        self._report.examined("requests on the wire")
        self._nothing_but(packet, _REQUEST)
        name = packet.topic[len(topics.RPC) :]
        method = METHODS.get(name)
        if method is None:
            self._find("topic", f"a request for {name!r:.80}, which there is not")
            return
        self._talk.requests[packet.correlation_data or b""] = (name, packet.payload)
        try:
            method.request.model_validate_json(packet.payload)
        except ValidationError as error:
            self._find("request", f"{name}: {_sentence(error)}")

    def _answer(self, packet: mqtt5.PublishPacket) -> None:
        self._report.examined("answers on the wire")
        self._nothing_but(packet, _ANSWER)
        try:
            if not packet.correlation_data:
                Nudge.model_validate_json(packet.payload)
                return
            answer = Answer.model_validate_json(packet.payload)
            name, asked = self._talk.requests.get(packet.correlation_data, ("", b""))
            if answer.error is None and (method := METHODS.get(name)) is not None:
                found = method.response.model_validate_json(json.dumps(answer.result))
                self._talk.answers.append((name, asked, found))
        except ValidationError as error:
            self._find("request", f"an answer: {_sentence(error)}")

    def subscribe(self, packet: mqtt5.SubscribePacket) -> None:
        """To what is the client's own."""
        self._nothing_but(packet, {"packet_id", "topic_filters", "subscription_id"})
        for wanted in packet.topic_filters:
            own = {f"{topics.INBOX}{self._talk.client_id}"} if self._talk.client_id else set()
            if wanted.pattern not in own and not wanted.pattern.startswith(topics.REPLY):
                self._find("topic", f"a client subscribes to {wanted.pattern!r:.120}")

    def anything(self, packet: Any) -> None:
        """A packet of which nothing but user properties could carry something."""
        for name, value in getattr(packet, "user_properties", None) or ():
            self._find("property", f"a {type(packet).__name__} has the user property {name!r:.40} = {value!r:.80}")


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(step) for step in first['loc']) or 'all of it'}: {first['msg']}"


def _fields(packet: Any) -> list[str]:
    return [name for name in dir(packet) if not name.startswith("_") and not callable(getattr(packet, name))]


def _required(packet: Any) -> dict[str, Any]:
    names = {
        mqtt5.ConnectPacket: ("client_id",),
        mqtt5.PublishPacket: ("topic", "payload"),
        mqtt5.SubscribePacket: ("packet_id", "topic_filters"),
    }[type(packet)]
    return {name: getattr(packet, name) for name in names}


_CONNECT: Final = {
    "client_id",
    "clean_start",
    "keep_alive",
    "username",
    "password",
    "session_expiry_interval",
    "receive_max",
    "max_packet_size",
    "user_properties",
}
_ENVELOPE: Final = {
    "topic",
    "payload",
    "qos",
    "packet_id",
    "duplicate",
    "correlation_data",
    "message_expiry_interval",
}
_REQUEST: Final = {"topic", "payload", "qos", "packet_id", "duplicate", "correlation_data", "response_topic"}
_ANSWER: Final = {"topic", "payload", "qos", "correlation_data"}

_HOLD: Final[dict[tuple[str, type], Callable[[_Grammar, Any], None]]] = {
    ("up", mqtt5.ConnectPacket): _Grammar.connect,
    ("up", mqtt5.PublishPacket): _Grammar.publish_up,
    ("up", mqtt5.SubscribePacket): _Grammar.subscribe,
    ("up", mqtt5.PubAckPacket): _Grammar.anything,
    ("up", mqtt5.PingReqPacket): _Grammar.anything,
    ("up", mqtt5.DisconnectPacket): _Grammar.anything,
    ("up", mqtt5.UnsubscribePacket): _Grammar.anything,
    ("down", mqtt5.ConnAckPacket): _Grammar.anything,
    ("down", mqtt5.PublishPacket): _Grammar.publish_down,
    ("down", mqtt5.SubAckPacket): _Grammar.anything,
    ("down", mqtt5.UnsubAckPacket): _Grammar.anything,
    ("down", mqtt5.PubAckPacket): _Grammar.anything,
    ("down", mqtt5.PingRespPacket): _Grammar.anything,
    ("down", mqtt5.DisconnectPacket): _Grammar.anything,
}
