"""Which topic an identity may use, and whose mailbox it is: the one place where that is decided.

Everything that reaches a mailbox, an rpc method or a subscription has been through `TopicAccess`. The exchange is given
an `Access`, so that the same engine can be driven by a conformance program with free topics; that twin is for tests alone.

| identity       | publish to                           | call                           | subscribe to            |
|----------------|--------------------------------------|--------------------------------|-------------------------|
| device         | every device that may be written to  | all but registering, revoking  | own inbox, own replies  |
| administrator  | -                                    | revoke, look up, logs, notices | own replies             |
| sealed sender  | devices of the one user it may write to | look up, claim              | own replies             |
| registrar      | -                                    | register a tenant, look up     | own replies             |
"""

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from mqtt5 import PubAckReasonCode, SubAckReasonCode

from blindrelay.protocol import rpc, topics
from blindrelay.protocol.errors import Malformed
from blindrelay.relay import suspension
from blindrelay.relay.identity import AdministratorIdentity, DeviceIdentity, Identity, Registrar, SealedSender

if TYPE_CHECKING:
    from blindrelay.relay.mailbox import Mailbox


@dataclass(frozen=True, slots=True)
class RpcCall:
    """The topic is that of a request; whether there is such a method is for the rpc to say."""

    method: str


@dataclass(frozen=True, slots=True)
class PublishRefused:
    """Not this topic, not by this identity: what PUBACK says."""

    code: PubAckReasonCode
    reason: str


@dataclass(frozen=True, slots=True)
class Inbox:
    """The filter is the identity's own inbox."""

    account_id: int


@dataclass(frozen=True, slots=True)
class Reply:
    """The filter is the client's own reply topic."""


@dataclass(frozen=True, slots=True)
class SubscribeRefused:
    """Not this filter: what SUBACK says."""

    code: SubAckReasonCode
    reason: str


class Access(Protocol):
    """What the exchange asks before it touches anything."""

    def publish(self, identity: Identity, topic: str) -> "Mailbox | RpcCall | PublishRefused":
        """Whose mailbox, or which method, `topic` is to `identity`."""

    def subscribe(self, identity: Identity, client_id: str, pattern: str) -> Inbox | Reply | SubscribeRefused:
        """What `pattern` is to `identity`, whose client id (assigned or its own) is `client_id`."""

    def may_answer_to(self, client_id: str, response_topic: str | None) -> bool:
        """Whether answers for `client_id` may go to `response_topic`: nobody makes the relay write to somebody else."""


# One and the same for unknown, revoked and forbidden: else a sender could ask who exists.
NO_RECIPIENT: Final = PublishRefused(
    PubAckReasonCode.NOT_AUTHORIZED, "no such recipient, or you may not write to it: check the address"
)
_DEPARTED: Final = PublishRefused(
    PubAckReasonCode.NOT_AUTHORIZED, "the recipient's enterprise has left this relay: nobody there can be written to"
)
_OUTSIDE: Final = PublishRefused(
    PubAckReasonCode.TOPIC_NAME_INVALID,
    "topic is outside the profile: expected v1/to/<tenant>/<user>/<device> or v1/rpc/<method>",
)
_METHOD_REFUSED: Final = PublishRefused(PubAckReasonCode.NOT_AUTHORIZED, "this identity may not call this method")
_FILTER_REFUSED: Final = SubscribeRefused(
    SubAckReasonCode.NOT_AUTHORIZED, "you may subscribe to your own inbox and reply topic alone"
)
_FILTER_INVALID: Final = SubscribeRefused(SubAckReasonCode.TOPIC_FILTER_INVALID, "the topic filter is malformed")

_METHOD_NAME = re.compile(r"[a-z][a-z_.]{0,63}", re.ASCII)

_ALL = frozenset({DeviceIdentity, AdministratorIdentity, SealedSender, Registrar})
_DEVICE = frozenset({DeviceIdentity})
_READERS = frozenset({DeviceIdentity, AdministratorIdentity, SealedSender})

#: Which kind of identity may call which method. A method that is missing here may be called by nobody.
CALLERS: Final[Mapping[str, frozenset[type]]] = {
    rpc.REGISTER_TENANT.name: frozenset({Registrar}),
    rpc.LOOK_UP_TENANT.name: _ALL,
    rpc.LEAVE_RELAY.name: frozenset({AdministratorIdentity}),
    rpc.REVOKE_DEVICE.name: frozenset({AdministratorIdentity}),
    rpc.PUBLISH_STATEMENT.name: _DEVICE,
    rpc.PUBLISH_PREKEYS.name: _DEVICE,
    rpc.COUNT_PREKEYS.name: _DEVICE,
    rpc.CLAIM_PREKEYS.name: frozenset({DeviceIdentity, SealedSender}),
    rpc.LOOK_UP_USER.name: _READERS,
    # Not for sealed senders: which heads somebody has seen would tie their connections together.
    rpc.PROVE_HEAD.name: frozenset({DeviceIdentity, AdministratorIdentity}),
    rpc.LOG_POLICIES.name: frozenset({DeviceIdentity, AdministratorIdentity}),
    rpc.MY_DATA.name: _DEVICE,
    rpc.NOTICES.name: frozenset({DeviceIdentity, AdministratorIdentity}),
}


class TopicAccess:
    """The profile's rules.

    Args:
        recipients: `v1/to/...` -> mailbox, for every device that may be written to. It is looked at, not copied: whoever
            keeps it (the accounts) adds and removes devices while the relay runs.
        closed: tenant -> jurisdiction, of those whose devices may not send: see `blindrelay.relay.suspension`.
        departed: the tenants that have left. That they have is in the public log: their devices' senders may be told.
    """

    def __init__(
        self,
        recipients: "Mapping[str, Mailbox]",
        closed: Mapping[str, str] | None = None,
        departed: Set[str] = frozenset(),
    ) -> None:
        self._departed = departed
        self._recipients = recipients
        self._closed: Mapping[str, str] = {} if closed is None else closed

    def publish(self, identity: Identity, topic: str) -> "Mailbox | RpcCall | PublishRefused":
        """Whose mailbox, or which method, `topic` is to `identity`."""
        if type(identity) is DeviceIdentity:
            if self._closed and (jurisdiction := self._closed.get(identity.tenant)) is not None:
                # Quota exceeded: "an implementation or administrative imposed limit" (MQTT 5, 2.4). What else there is would
                # make a client give the message up, and this one is to be sent when the service is back.
                return PublishRefused(PubAckReasonCode.QUOTA_EXCEEDED, suspension.sentence(jurisdiction))
            mailbox = self._recipients.get(topic)
            if mailbox is not None:
                return mailbox
        return self._publish_elsewhere(identity, topic)

    def _publish_elsewhere(self, identity: Identity, topic: str) -> "Mailbox | RpcCall | PublishRefused":
        if topic.startswith(topics.RPC):
            return self._call(identity, topic[len(topics.RPC) :])
        if not topic.startswith(topics.TO):
            return _OUTSIDE
        try:
            device = topics.recipient(topic)
        except Malformed:
            return _OUTSIDE
        if type(identity) is SealedSender and device.owner == identity.recipient:
            return self._recipients.get(topic, NO_RECIPIENT)
        return _DEPARTED if device.tenant in self._departed else NO_RECIPIENT

    def _call(self, identity: Identity, method: str) -> RpcCall | PublishRefused:
        if not _METHOD_NAME.fullmatch(method):
            return _OUTSIDE
        callers = CALLERS.get(method)
        if callers is not None and type(identity) not in callers:
            return _METHOD_REFUSED
        return RpcCall(method)

    def subscribe(self, identity: Identity, client_id: str, pattern: str) -> Inbox | Reply | SubscribeRefused:
        """What `pattern` is to `identity`, whose client id (assigned or its own) is `client_id`."""
        if not pattern or "\0" in pattern or len(pattern) > topics.MAX_TOPIC_LENGTH:
            return _FILTER_INVALID
        if type(identity) is DeviceIdentity and pattern == topics.inbox(identity.address):
            return Inbox(identity.account_id)
        if client_id and pattern == topics.reply(client_id):
            return Reply()
        return _FILTER_REFUSED

    def may_answer_to(self, client_id: str, response_topic: str | None) -> bool:
        """Whether answers for `client_id` may go to `response_topic`."""
        return bool(client_id) and response_topic == topics.reply(client_id)
