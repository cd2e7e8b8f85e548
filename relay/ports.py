"""What the message path asks of the rest of the relay: small protocols, and the values that travel through them.

The exchange (`blindrelay.relay.exchange`) knows no certificate, no table and no policy. It asks these, and a conformance
twin with free topics and a store in memory answers the same questions in the tests.
"""

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from mqtt5 import ConnectPacket

from blindrelay.relay.identity import Identity

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from blindrelay.relay.mailbox import Mailbox

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
