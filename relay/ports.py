"""What the message path asks of the rest of the relay: small protocols, and the values that travel through them.

The exchange (`blindrelay.relay.exchange`) knows no certificate, no table and no policy. It asks these, and a conformance
twin with free topics and a store in memory answers the same questions in the tests.
"""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from mqtt5 import ConnectPacket

from blindrelay.relay.identity import Identity

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from blindrelay.relay.mailbox import Mailbox
    from blindrelay.relay.sessions import SessionRecord
    from blindrelay.relay.store.entries import Accepted, StoredEnvelope

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Admitted:
    """A client that may come in.

    `identity` is opaque to the message path and is handed back with every question about this client. `client_id` is the
    only client id that it may use besides the empty one; None: only the empty one, and its session ends with the connection.
    `account_id` names the device in the store; None for a client that is no device.
    """

    identity: Identity
    client_id: str | None
    account_id: int | None


class Admission(Protocol):
    """Who is it?"""

    def admit(self, certificate: bytes | None, address: str, connect: ConnectPacket) -> Admitted:
        """Decide on a CONNECT whose form has been checked.

        Raises `blindrelay.relay.errors.ConnectRefused`.

        `certificate` is the DER certificate that the TLS handshake verified, None for a client without one. `address` is the
        peer's IP address. The client id is compared with `Admitted.client_id` by the caller.
        """


class Accounts(Protocol):
    """Who stands, and where their mail waits."""

    def stands(self, identity: Hashable) -> bool:
        """Whether the identity is (still) good: not revoked, its certificate not expired, its tenant not suspended.

        Asked before a session is resumed and before each batch of deliveries, so it is to be a look-up.
        """

    def shut_out(self, identity: Hashable) -> str | None:
        """Why an identity that is not good just now will be again without doing anything; None: it will not, or it is good."""

    def mailbox(self, account_id: int) -> "Mailbox | None":
        """The mailbox of a device; None when there is no such device (any more)."""


class Limits(Protocol):
    """How much is too much."""

    def connecting(self, address: str) -> bool:
        """Whether this address may have another TLS handshake now. Called once for each accepted TCP connection."""

    def disconnected(self, address: str) -> None:
        """A connection for which `connecting` said yes has ended."""

    def sending(self, identity: Hashable, size: int) -> float:
        """Charge one PUBLISH of `size` payload bytes; return how many seconds its sender's connection is not to be read.

        0.0 within the limits. `math.inf`: so far over them that the connection ends with DISCONNECT 0x96. `-math.inf`: the
        tenant is so far over its own that this message is refused with PUBACK 0x97.
        """


class Ledger(Protocol):
    """The AccessRecord: when a device was connected."""

    async def open(self, account_id: int, address: str, client_version: str | None) -> int:
        """Record the start of a connection; durable on return. Returns the record's number for `close`."""

    async def close(self, record: int) -> None:
        """Record the end of a connection."""


class Rpc(Protocol):
    """Requests to the relay itself."""

    def __call__(self, identity: Hashable, method: str, payload: bytes) -> Awaitable[bytes]:
        """Carry out a request and return the JSON of its `Answer`, refusals included."""


class Envelope(Protocol):
    """What a delivery needs to know of an envelope; both `Accepted` and the store's `StoredEnvelope` are ones."""

    @property
    def sequence(self) -> int:
        """Its place in the inbox, from 1."""

    @property
    def message_id(self) -> bytes:
        """The sender's id for it, forwarded as correlation data."""

    @property
    def accepted_at(self) -> int:
        """Epoch seconds."""

    @property
    def expires_at(self) -> int | None:
        """Epoch seconds."""

    @property
    def payload(self) -> bytes:
        """Opaque bytes."""


class Store(Protocol):
    """The part of the committer that sessions and rings need: anything that is not an envelope."""

    async def run(self, write: "Callable[[Connection], T]") -> T:
        """Write inside the next commit; durable on return."""

    async def read(self, query: "Callable[[Connection], T]") -> T:
        """Read what is committed."""

    def scrub(self) -> None:
        """Let nothing be left of records that have been deleted: at the next quiet moment."""


class Committer(Store, Protocol):
    """The store's front, as far as envelopes are concerned: see `blindrelay.relay.store.committer`."""

    def accept(self, entry: "Accepted") -> None:
        """Take an envelope into the next commit."""

    def remove(self, mailbox_id: int, sequence: int) -> None:
        """Delete one in the next commit."""

    async def fetch(
        self, mailbox_id: int, after_sequence: int, max_count: int, max_bytes: int
    ) -> "list[StoredEnvelope]":
        """The oldest ones above a sequence."""

    async def fetch_many(self, wanted: Sequence[tuple[int, int, int, int]]) -> "list[list[StoredEnvelope]]":
        """The same for several mailboxes."""


class Sessions(Protocol):
    """What outlives connections: see `blindrelay.relay.sessions`, and `blindrelay.relay.cluster.sessions` for several nodes."""

    async def load(self) -> None:
        """Read the sessions of before the start."""

    def open(self, account_id: int, client_id: str, *, clean_start: bool, expiry: int) -> "tuple[SessionRecord, bool]":
        """A connection begins: its session, and whether that was there before, as far as this process knows."""

    async def claim(
        self, record: "SessionRecord", *, clean_start: bool, present: bool, is_awaited: Callable[[], bool]
    ) -> bool:
        """Make durable that the session is this connection's; returns whether it was there before. `is_awaited`: whether the
        client still waits for that, as far as anybody knows."""

    def end(self, record: "SessionRecord", expiry: int) -> None:
        """Its connection is over, and this is how long it is to be kept. Nothing is durable before `save`."""

    def needs_saving(self, record: "SessionRecord") -> bool:
        """Whether memory and store differ in something that a restart must not lose."""

    async def save(self, record: "SessionRecord") -> bool:
        """Make durable what memory says of this session. False: another connection has it by now, and nothing was written."""

    async def purge(self) -> None:
        """Forget the sessions whose interval has passed."""

    async def forget(self, account_id: int) -> None:
        """End all sessions of a device that is no longer welcome."""


class Neighbours(Protocol):
    """The other nodes of the same relay: see `blindrelay.relay.cluster`."""

    def stored(self, entries: "list[Accepted]") -> None:
        """These are durable: wake the nodes that their recipients are connected to."""

    async def claim(self, mailbox: "Mailbox") -> None:
        """A connection here is going to read this mailbox: wake this node for it. Raises what the store raises."""

    def reading(self, mailbox: "Mailbox") -> None:
        """It reads it from now on."""

    def left(self, mailbox: "Mailbox") -> None:
        """It does not any more."""

    def is_new(self, account_id: int) -> bool:
        """Whether the device has come here for the first time, so that other nodes may not know it."""

    async def introduced(self, account_id: int) -> None:
        """Wait until the other nodes know a new device, or have had time enough."""
