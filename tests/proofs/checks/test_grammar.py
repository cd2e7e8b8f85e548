"""The wire tap knows the grammar: whatever is not in it is found."""

import json
from dataclasses import dataclass
from typing import Any

import mqtt5
import pytest

from blindrelay.proofs.checks import grammar
from blindrelay.protocol import topics
from blindrelay.protocol.credentials import CLIENT_VERSION_PROPERTY
from support.proofs import connection, reasons, report_for

ALICE = "acme.example/alice/laptop"
BOB = "globex.example/bob/phone"


def connect(**changes: Any) -> mqtt5.ConnectPacket:
    """A device's."""
    known: dict[str, Any] = {
        "client_id": ALICE,
        "keep_alive": 60,
        "user_properties": [(CLIENT_VERSION_PROPERTY, "0.1.0")],
    }
    return mqtt5.ConnectPacket(**known | changes)


def envelope(**changes: Any) -> mqtt5.PublishPacket:
    """One to bob."""
    known: dict[str, Any] = {
        "topic": f"{topics.TO}{BOB}", "payload": bytes(2_048), "qos": mqtt5.QoS.AT_LEAST_ONCE, "packet_id": 1,
        "correlation_data": bytes(16), "message_expiry_interval": 3_600,
    }  # fmt: skip
    return mqtt5.PublishPacket(**known | changes)


def request(method: str = "prekeys.count", body: object = None, **changes: Any) -> mqtt5.PublishPacket:
    """A request to the relay."""
    known: dict[str, Any] = {
        "topic": f"{topics.RPC}{method}", "payload": json.dumps(body or {}).encode(), "qos": mqtt5.QoS.AT_LEAST_ONCE,
        "packet_id": 2, "correlation_data": b"1", "response_topic": f"{topics.REPLY}{ALICE}",
    }  # fmt: skip
    return mqtt5.PublishPacket(**known | changes)


def answer(result: object, **changes: Any) -> mqtt5.PublishPacket:
    """The answer to it."""
    known: dict[str, Any] = {
        "topic": f"{topics.REPLY}{ALICE}", "payload": json.dumps({"result": result}).encode(), "correlation_data": b"1"
    }  # fmt: skip
    return mqtt5.PublishPacket(**known | changes)


def subscribe(pattern: str) -> mqtt5.SubscribePacket:
    return mqtt5.SubscribePacket(3, [mqtt5.TopicFilter(pattern, max_qos=mqtt5.QoS.AT_LEAST_ONCE)])


def delivered(**changes: Any) -> mqtt5.PublishPacket:
    """An envelope to alice."""
    return envelope(topic=f"{topics.INBOX}{ALICE}", **changes)


@dataclass(frozen=True)
class Case:
    """What passes, in either direction, behind a device's CONNECT; and why something is found."""

    reason: str | None
    up: tuple[mqtt5.Packet | bytes, ...] = ()
    down: tuple[mqtt5.Packet | bytes, ...] = ()
    connect: mqtt5.ConnectPacket | None = None


CASES = {
    "what the profile allows": Case(
        None,
        (subscribe(f"{topics.INBOX}{ALICE}"), envelope(), request(), mqtt5.PingReqPacket()),
        (answer({"one_time": 3}), delivered(), mqtt5.PubAckPacket(1)),
    ),
    "a will": Case("property", connect=connect(will=mqtt5.Will(topic="v1/to/x", payload=b"said afterwards"))),
    "a client id that is no device's": Case("property", connect=connect(client_id="alice was here")),
    "a property of a connection": Case("property", connect=connect(user_properties=[("subject", "Figures")])),
    "a version that is a sentence": Case("property", connect=connect(user_properties=[(CLIENT_VERSION_PROPERTY, "a b")])),
    "a device and a token": Case("linkable", connect=connect(username="bob@globex.example", password=b"token")),
    "a name that is no user's": Case("property", connect=connect(client_id="", username="bob, tell alice")),
    "a property of an envelope": Case("property", (envelope(user_properties=[("subject", "Figures")]),)),
    "a content type": Case("property", (envelope(content_type="text/plain"),)),
    "a retained envelope": Case("property", (envelope(retain=True),)),
    "an envelope that asks for an answer": Case("property", (envelope(response_topic="v1/reply/x"),)),
    "an id that is none": Case("property", (envelope(correlation_data=b"Figures"),)),
    "an envelope without an expiry": Case("property", (envelope(message_expiry_interval=None),)),
    "an envelope of another size": Case("size", (envelope(payload=bytes(2_049)),)),
    "a topic that says something": Case("topic", (envelope(topic=f"{topics.TO}Figures for Friday"),)),
    "another topic": Case("topic", (envelope(topic="diagnostics"),)),
    "somebody else's inbox": Case("topic", (subscribe(f"{topics.INBOX}{BOB}"),)),
    "everybody's inbox": Case("topic", (subscribe(f"{topics.INBOX}#"),)),
    "a request that there is not": Case("topic", (request("notes.put"),)),
    "a request with more in it": Case("request", (request(body={"hint": "Figures"}),)),
    "a property of a request": Case("property", (request(user_properties=[("hint", "Figures")]),)),
    "an answer with more in it": Case("request", (request(),), (answer({"one_time": 3, "hint": "Figures"}),)),
    "an envelope to somebody else": Case("topic", (), (envelope(topic=f"{topics.INBOX}{BOB}"),)),
    "a property on its way down": Case("property", (), (delivered(user_properties=[("trace", "1")]),)),
    "a reason with properties": Case("property", (), (mqtt5.PubAckPacket(1, user_properties=[("hint", "Figures")]),)),
    "a packet in the wrong direction": Case("property", (mqtt5.ConnAckPacket(),)),
    "bytes that are no packet": Case("not-mqtt", (b"\xf0\x02hi",)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_is_not_in_the_grammar_is_found(name: str) -> None:
    """And what is, is not."""
    case, report = CASES[name], report_for("wire")

    grammar.examine(connection([case.connect or connect(), *case.up], case.down), report)

    assert reasons(report) == ([case.reason] if case.reason else [])
