"""Who may use which topic: the rules alone, and on the wire."""

from typing import Any

import mqtt5
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mqtt5 import PubAckReasonCode, SubAckReasonCode

from blindrelay.protocol import rpc, topics
from blindrelay.protocol.address import DeviceAddress, UserAddress
from blindrelay.protocol.credentials import REGISTRAR, DeliveryToken
from blindrelay.relay.access import CALLERS, Inbox, PublishRefused, Reply, RpcCall, SubscribeRefused, TopicAccess
from blindrelay.relay.identity import AdministratorIdentity, DeviceIdentity, Identity, Registrar, SealedSender
from blindrelay.relay.mailbox import Mailbox, Quota
from blindrelay.relay.server import Relay
from support.site import connected
from support.tenants import Tenant
from support.wire import Client

BOB = DeviceAddress("globex.example", "bob", "phone")
CAROL = DeviceAddress("globex.example", "carol", "phone")
DEVICE = DeviceIdentity(DeviceAddress("acme.example", "alice", "laptop"), 1, b"", b"", 2e9)
SEALED = SealedSender(BOB.owner, b"")
ADMINISTRATOR = AdministratorIdentity("globex.example", b"", 2e9)
REGISTRAR_IDENTITY = Registrar()
ALL: list[Identity] = [DEVICE, SEALED, ADMINISTRATOR, REGISTRAR_IDENTITY]

NOT_YOURS = PubAckReasonCode.NOT_AUTHORIZED
NO_TOPIC = PubAckReasonCode.TOPIC_NAME_INVALID


@pytest.fixture(scope="module")
def mailboxes() -> dict[str, Mailbox]:
    """Two devices that may be written to."""
    return {
        topics.to(address): Mailbox(number, topics.inbox(address), Quota())
        for number, address in enumerate((BOB, CAROL), 7)
    }


@pytest.fixture(scope="module")
def access(mailboxes: dict[str, Mailbox]) -> TopicAccess:
    """The rules, with those two."""
    return TopicAccess(mailboxes)


def test_a_device_may_write_to_every_recipient(access: TopicAccess, mailboxes: dict[str, Mailbox]) -> None:
    """The mailbox of a topic is found by the topic itself."""
    for topic, mailbox in mailboxes.items():
        assert access.publish(DEVICE, topic) is mailbox


def test_a_sealed_sender_may_write_to_its_recipient_alone(access: TopicAccess, mailboxes: dict[str, Mailbox]) -> None:
    """A token opens one user's mailboxes, and says of others what it would say if they did not exist."""
    assert access.publish(SEALED, topics.to(BOB)) is mailboxes[topics.to(BOB)]
    carol = access.publish(SEALED, topics.to(CAROL))
    nobody = access.publish(SEALED, "v1/to/globex.example/nobody/phone")
    assert carol is nobody
    assert isinstance(carol, PublishRefused)
    assert carol.code is NOT_YOURS


@pytest.mark.parametrize("identity", [ADMINISTRATOR, REGISTRAR_IDENTITY])
def test_administrators_and_registrars_write_to_nobody(access: TopicAccess, identity: Identity) -> None:
    """They have requests, and no mail."""
    found = access.publish(identity, topics.to(BOB))
    assert isinstance(found, PublishRefused)
    assert found.code is NOT_YOURS


def test_unknown_and_unwritable_are_the_same(access: TopicAccess) -> None:
    """S7: the answer about a device that is not there does not tell why it is not."""
    first, *others = (access.publish(DEVICE, f"v1/to/globex.example/{name}/phone") for name in ("nobody", "zed", "b"))
    assert isinstance(first, PublishRefused)
    assert all(other is first for other in others)


@pytest.mark.parametrize("identity", ALL, ids=lambda identity: type(identity).__name__)
@pytest.mark.parametrize(
    "topic",
    [
        "v1/inbox/globex.example/bob/phone",
        "v1/reply/globex.example/bob/phone",
        "v1/to/globex.example/bob",
        "v1/to/globex.example/bob/phone/",
        "v1/to/globex.example/bob/phone/x",
        "v1/to//bob/phone",
        "v1/to/globex.example/#",
        "v1/to/globex.example/+/phone",
        "v1/to/globex.example/bob/*",
        "v1/to/globex.example/>/phone",
        "v1/to/GLOBEX.example/bob/phone",
        "v1/to",
        "v2/to/globex.example/bob/phone",
        "/v1/to/globex.example/bob/phone",
        "$SYS/broker",
        "$CONTROL/dynamic-security/v1",
        "$share/g/v1/to/globex.example/bob/phone",
        "v1/rpc/",
        "v1/rpc/a/b",
        "v1/rpc/../x",
        "/",
        "x" * 65_535,
        "/" * 65_535,
    ],
)
def test_topics_outside_the_profile_are_refused(access: TopicAccess, identity: Identity, topic: str) -> None:
    """Nobody has a topic that is not in the table; M6: nor does a deep one cost anything."""
    found = access.publish(identity, topic)
    assert isinstance(found, PublishRefused)
    assert found.code is NO_TOPIC


@given(topic=st.text())
def test_no_other_topic_leads_anywhere(topic: str, access: TopicAccess, mailboxes: dict[str, Mailbox]) -> None:
    """Whatever the topic, only those two lead to a mailbox, and to the one that they name."""
    for identity in ALL:
        found = access.publish(identity, topic)
        assert not isinstance(found, Mailbox) or found is mailboxes[topic]


def test_every_method_has_its_callers() -> None:
    """There is no method that nobody has thought about; a registrar revokes nothing, a sealed sender publishes nothing."""
    assert CALLERS.keys() == rpc.METHODS.keys()
    assert CALLERS["tenant.register"] == {Registrar}
    assert CALLERS["device.revoke"] == {AdministratorIdentity}
    assert {name for name, callers in CALLERS.items() if SealedSender in callers} == {
        "directory.lookup",
        "tenant.lookup",
        "prekeys.claim",
    }


def test_methods_are_for_their_callers(access: TopicAccess) -> None:
    """A method of somebody else's is refused in the PUBACK; one that does not exist is the rpc's to answer."""
    for identity in ALL:
        for method, callers in CALLERS.items():
            found = access.publish(identity, topics.rpc(method))
            if type(identity) in callers:
                assert found == RpcCall(method)
            else:
                assert isinstance(found, PublishRefused)
                assert found.code is NOT_YOURS
        assert access.publish(identity, "v1/rpc/no.such") == RpcCall("no.such")


def test_one_s_own_inbox_and_replies_are_all_there_is_to_subscribe_to(access: TopicAccess) -> None:
    """The inbox is the certificate's, the reply topic is the client id's."""
    mine = topics.inbox(DEVICE.address)
    assert access.subscribe(DEVICE, "id", mine) == Inbox(1)
    for identity in ALL:
        assert access.subscribe(identity, "id", "v1/reply/id") == Reply()
        assert access.may_answer_to("id", "v1/reply/id")
        for pattern in (topics.inbox(BOB), "v1/reply/other", "v1/reply/", topics.to(BOB), "v1/inbox/#", "#", "$SYS/#"):
            found = access.subscribe(identity, "id", pattern)
            assert isinstance(found, SubscribeRefused)
            assert found.code is SubAckReasonCode.NOT_AUTHORIZED
            assert not access.may_answer_to("id", pattern)
    for identity in (SEALED, ADMINISTRATOR, REGISTRAR_IDENTITY):
        assert isinstance(access.subscribe(identity, "id", mine), SubscribeRefused)


@pytest.mark.parametrize("pattern", ["", "a\0b", "x" * 257])
def test_malformed_filters_are_malformed(access: TopicAccess, pattern: str) -> None:
    """A filter that is none gets its own code (0x8F)."""
    found = access.subscribe(DEVICE, "id", pattern)
    assert isinstance(found, SubscribeRefused)
    assert found.code is SubAckReasonCode.TOPIC_FILTER_INVALID


def test_without_a_client_id_there_are_no_replies(access: TopicAccess) -> None:
    """An empty client id does not make `v1/reply/` anybody's."""
    assert isinstance(access.subscribe(DEVICE, "", "v1/reply/"), SubscribeRefused)
    assert not access.may_answer_to("", "v1/reply/")
    assert not access.may_answer_to("id", None)


# On the wire.


async def test_publishing_to_where_one_may_not(relay: Relay, acme: Tenant) -> None:
    """PUBACK says 0x90 for what is no topic of ours, 0x87 for what is not yours or nobody's; the connection goes on."""
    alice = acme.device("alice", "laptop")
    async with connected(relay, alice) as client:
        for topic, code in {
            "v1/inbox/acme.example/alice/laptop": 0x90,
            "v1/to/acme.example/alice": 0x90,
            "$SYS/x": 0x90,
            "v1/to/acme.example/nobody/laptop": 0x87,
            "v1/rpc/tenant.register": 0x87,
            "v1/rpc/device.revoke": 0x87,
        }.items():
            answer = await client.publish(topic)
            assert (topic, int(answer.reason_code)) == (topic, code)
            assert answer.reason_str
        assert (await client.publish(alice.device)).reason_code == 0


async def test_subscribing_to_what_is_not_one_s_own(relay: Relay, acme: Tenant, globex: Tenant) -> None:
    """SUBACK says 0x87 for everything but the own inbox and reply topic, one code for each filter."""
    alice, bob = acme.device("alice", "laptop"), globex.device("bob", "phone")
    async with connected(relay, bob), connected(relay, alice) as client:
        codes = await client.subscribe(
            topics.inbox(bob.device),
            topics.inbox(alice.device),
            topics.reply(str(bob.device)),
            topics.reply(str(alice.device)),
            topics.to(alice.device),
        )
    assert codes == [0x87, 1, 0x87, 1, 0x87]


async def test_answers_do_not_go_to_others(relay: Relay, acme: Tenant) -> None:
    """S6: a request with a response topic of somebody else's, or none, is refused and not carried out."""
    alice, bob = acme.device("alice", "laptop"), acme.device("bob", "phone")
    async with connected(relay, bob) as victim, connected(relay, alice) as client:
        assert await victim.subscribe(topics.reply(str(bob.device))) == [1]
        for response_topic in (topics.reply(str(bob.device)), topics.inbox(bob.device), None):
            answer = await client.publish(topics.rpc("prekeys.count"), b"{}", response_topic=response_topic)
            assert answer.reason_code is NOT_YOURS
        assert (await victim.publish(bob.device)).reason_code == 0
        assert not victim.inbox


async def test_a_sealed_sender_on_the_wire(relay: Relay, acme: Tenant) -> None:
    """It writes to its recipient's devices, asks for what it needs, and gets nowhere else."""
    alice, bob = acme.device("alice", "laptop"), acme.device("bob", "phone")
    token = DeliveryToken(b"\x42" * 32)
    async with connected(relay, alice) as client, connected(relay, bob):
        await client.call(rpc.PUBLISH_STATEMENT, rpc.PublishStatement(statement=alice.statement(1, token)))
    async with Client(relay) as sealed:
        await sealed.connect("", username="alice@acme.example", password=token.value)
        codes = await sealed.subscribe(topics.inbox(alice.device), topics.reply(str(alice.device)))
        assert codes == [0x87, 0x87]
        assert (await sealed.publish(bob.device)).reason_code == 0x87
        assert (await sealed.publish(topics.rpc("account.my_data"), b"{}")).reason_code == 0x87
        assert (await sealed.publish(alice.device)).reason_code == 0
        found = await sealed.call(rpc.LOOK_UP_USER, rpc.LookUpUser(user=UserAddress("acme.example", "alice")))
        assert [entry.device for entry in found.devices] == [alice.device]


async def test_a_registrar_writes_to_nobody(relay: Relay, acme: Tenant) -> None:
    """The registration code opens registration alone."""
    alice = acme.device("alice", "laptop")
    async with connected(relay, alice), Client(relay) as registrar:
        await registrar.connect("", username=REGISTRAR, password=relay.registration_code.encode())
        assert (await registrar.publish(alice.device)).reason_code == 0x87
        assert (await registrar.publish(topics.rpc("directory.lookup"), b"{}")).reason_code == 0x87


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"qos": mqtt5.QoS.AT_MOST_ONCE}, 0x87),
        ({"qos": mqtt5.QoS.EXACTLY_ONCE, "packet_id": 1}, 0x9B),
        ({"qos": mqtt5.QoS.AT_LEAST_ONCE, "packet_id": 1, "retain": True}, 0x9A),
    ],
)
async def test_other_kinds_of_publish_end_the_connection(
    relay: Relay, acme: Tenant, options: dict[str, Any], code: int
) -> None:
    """D3 and section 1 of the profile: what the profile does not have is refused with DISCONNECT."""
    alice = acme.device("alice", "laptop")
    async with connected(relay, alice) as client:
        client.send(mqtt5.PublishPacket(topics.to(alice.device), bytes(1_024), **options))
        assert int((await client.expect(mqtt5.DisconnectPacket)).reason_code) == code
        await client.wait_closed()
