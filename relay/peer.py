"""What the exchange knows of one connection; the listener gives it its legs."""

from collections import deque
from enum import IntFlag
from typing import TYPE_CHECKING

from blindrelay.relay.mqtt.session import Session

if TYPE_CHECKING:
    from blindrelay.relay.identity import Identity
    from blindrelay.relay.mailbox import Delivery
    from blindrelay.relay.ports import Admitted
    from blindrelay.relay.sessions import SessionRecord


class Hold(IntFlag):
    """Why a connection is not read just now. It is read again when no reason is left."""

    DECIDING = 1  # admission; what the client pipelines behind CONNECT is bounded by this
    UNDECIDED = 2  # too much of what it has sent waits for the store
    RATE = 4  # it sends too fast
    ANSWERS = 8  # it does not read our answers
    LEAVING = 16  # the relay stops


class Peer:
    """One connection, as the exchange sees it.

    Attributes:
        session: its MQTT side.
        address: IP address. certificate: DER, as verified by the TLS handshake; None without one.
        identity: who it is, once admitted; what `access`, `limits` and `accounts` are asked with.
        client_id: its own or the assigned one.
        record: its session beyond this connection; None when it ends with the connection.
        subscriptions: its filters.
        delivery: how its inbox reaches it, while it is subscribed.
        writable: False while the network does not take what we write.
        undecided: bytes of payload that wait for the store.
        has_left: the exchange is done with it: nothing of it has an effect any more.
        calls: requests (method, payload, response topic, correlation data) that wait for their turn; calling: how many are
            being carried out.
        access_record: the ledger's number of this connection.
    """

    __slots__ = (
        "access_record",
        "address",
        "admitted",
        "calling",
        "calls",
        "certificate",
        "client_id",
        "delivery",
        "has_left",
        "held",
        "identity",
        "record",
        "session",
        "subscriptions",
        "undecided",
        "writable",
    )

    def __init__(self, address: str, certificate: bytes | None) -> None:
        self.session = Session()
        self.address = address
        self.certificate = certificate
        self.admitted: Admitted | None = None
        self.identity: Identity  # none before admission: asking for it then fails
        self.has_left = False
        self.client_id = ""
        self.record: SessionRecord | None = None
        self.subscriptions: set[str] = set()
        self.delivery: Delivery | None = None
        self.writable = True
        self.undecided = 0
        self.calls: deque[tuple[str, bytes, str, bytes | None]] | None = None
        self.calling = 0
        self.access_record: int | None = None
        self.held = Hold(0)

    def hold(self, why: Hold) -> None:
        """Do not read from it until `unhold` has been called for every reason."""
        if not self.held:
            self.pause_reading()
        self.held |= why

    def unhold(self, why: Hold) -> None:
        """This reason is gone."""
        if self.held:
            self.held &= ~why
            if not self.held:
                self.resume_reading()

    def flush(self) -> None:
        """Write what the session has to say, as one piece, and close when that was the end."""
        raise NotImplementedError

    def pause_reading(self) -> None:
        """Stop reading from the network."""
        raise NotImplementedError

    def resume_reading(self) -> None:
        """Read again."""
        raise NotImplementedError
