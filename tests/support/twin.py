"""A relay's message path with everything around it replaced: free topics, nobody checked, the store in memory.

The engine is the real one (`Exchange`, `Session`, `Listener`). The twins answer the questions that it asks, remember what
they were asked, and can be told to say no.
"""

import asyncio
import math
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import mqtt5
import sqlalchemy
from mqtt5 import PubAckReasonCode, SubAckReasonCode
from sqlalchemy.pool import StaticPool

from blindrelay.protocol.address import DeviceAddress
from blindrelay.relay.access import Inbox, PublishRefused, Reply, RpcCall, SubscribeRefused
from blindrelay.relay.errors import ConnectRefused, StoreError
from blindrelay.relay.exchange import Exchange, Services
from blindrelay.relay.identity import DeviceIdentity, Identity
from blindrelay.relay.mailbox import Mailbox, Quota
from blindrelay.relay.peer import Peer
from blindrelay.relay.ports import Admitted
from blindrelay.relay.store import tables
from blindrelay.relay.store.committer import Outcome
from blindrelay.relay.store.entries import Accepted, StoredEnvelope

T = TypeVar("T")


class TwinClock:
    """A clock that stands still until it is moved; wall clock and monotonic clock apart."""

    def __init__(self) -> None:
        self.wall = 1_000_000.0
        self.elapsed = 50.0

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.elapsed

    def advance(self, seconds: float) -> None:
        """Let time pass, on both."""
        self.wall += seconds
        self.elapsed += seconds


class MemoryCommitter:
    """The committer's twin: SQLite in memory. A commit happens in the loop's next round, or when `commit` is called while
    `is_held`."""

    def __init__(self, settle: Callable[[list[Accepted], Outcome], None]) -> None:
        # Reading and writing are one connection and one thread here: nothing runs beside the event loop.
        self._engine = sqlalchemy.create_engine("sqlite://", poolclass=StaticPool)
        tables.metadata.create_all(self._engine)
        self._settle = settle
        self._accepted: list[Accepted] = []
        self._removed: list[tuple[int, int]] = []
        self._scheduled = False
        self.is_held = False
        self.outcome = Outcome.COMMITTED
        self.run_error: StoreError | None = None
        self.fetches = 0
        self.commits = 0
        self._gate = asyncio.Event()
        self._gate.set()

    def hold(self) -> None:
        """Commit nothing until `release`: a slow store."""
        self.is_held = True
        self._gate.clear()

    def release(self) -> None:
        """Go on, and commit what has gathered."""
        self.is_held = False
        self._gate.set()
        self.commit()

    def accept(self, entry: Accepted) -> None:
        self._accepted.append(entry)
        self._schedule()

    def remove(self, mailbox_id: int, sequence: int) -> None:
        self._removed.append((mailbox_id, sequence))
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled and not self.is_held:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self.commit)

    def commit(self) -> None:
        """Commit what has gathered, and settle it."""
        self._scheduled = False
        batch, self._accepted = self._accepted, []
        removed, self._removed = self._removed, []
        with self._engine.begin() as connection:
            for mailbox_id, sequence in removed:
                connection.exec_driver_sql(
                    "DELETE FROM envelope WHERE mailbox_id = ? AND sequence = ?", (mailbox_id, sequence)
                )
            if self.outcome is Outcome.COMMITTED:
                for entry in batch:
                    _insert(connection, entry)
        if batch:
            self.commits += 1
            self._settle(batch, self.outcome)

    async def run(self, write: Callable[[sqlalchemy.Connection], T]) -> T:
        await self._gate.wait()
        if self.run_error is not None:
            raise self.run_error
        self.commit()
        with self._engine.begin() as connection:
            return write(connection)

    async def read(self, query: Callable[[sqlalchemy.Connection], T]) -> T:
        await asyncio.sleep(0)
        with self._engine.begin() as connection:
            return query(connection)

    async def fetch(self, mailbox_id: int, after_sequence: int, max_count: int, max_bytes: int) -> list[StoredEnvelope]:
        self.fetches += 1
        await asyncio.sleep(0)
        found: list[StoredEnvelope] = []
        for envelope in self.stored(mailbox_id):
            max_bytes -= len(envelope.payload)
            if envelope.sequence > after_sequence and len(found) < max_count and (max_bytes >= 0 or not found):
                found.append(envelope)
        return found

    def stored(self, mailbox_id: int) -> list[StoredEnvelope]:
        """What is in the store for a mailbox."""
        with self._engine.begin() as connection:
            rows = connection.exec_driver_sql(
                "SELECT sequence, message_id, accepted_at, expires_at, payload FROM envelope "
                "WHERE mailbox_id = ? ORDER BY sequence",
                (mailbox_id,),
            )
            return [StoredEnvelope(*row) for row in rows]

    def traffic(self) -> int:
        """How many traffic records there are."""
        with self._engine.begin() as connection:
            return int(connection.exec_driver_sql("SELECT count(*) FROM traffic").scalar_one())

    def rows(self, table: str) -> list[Any]:
        """All of a table."""
        with self._engine.begin() as connection:
            return list(connection.exec_driver_sql(f"SELECT * FROM {table}"))

    def close(self) -> None:
        self._engine.dispose()


def _insert(connection: sqlalchemy.Connection, entry: Accepted) -> None:
    envelope = {
        "mailbox_id": entry.mailbox_id,
        "sequence": entry.sequence,
        "message_id": entry.message_id,
        "accepted_at": entry.accepted_at,
        "expires_at": entry.expires_at,
        "size": len(entry.payload),
        "filler": b"",
        "payload": entry.payload,
    }
    connection.execute(sqlalchemy.insert(tables.envelope), envelope)
    traffic = {
        "message_id": entry.message_id,
        "sender_id": entry.sender_id,
        "recipient_id": entry.mailbox_id,
        "accepted_at": entry.accepted_at,
        "size": len(entry.payload),
    }
    connection.execute(sqlalchemy.insert(tables.traffic), traffic)
    recent = {
        "owner": entry.ring_owner,
        "slot": entry.ring_slot,
        "message_id": entry.message_id,
        "recipient": entry.mailbox_id,
        "size": len(entry.payload),
        "checksum": entry.checksum,
        "accepted_at": entry.accepted_at,
    }
    connection.execute(sqlalchemy.insert(tables.recent_id).prefix_with("OR REPLACE"), recent)


class Twin:
    """Everything that the exchange asks, with free topics: `to/<n>` is the mailbox of account n, whose owner connects with
    the client id `c<n>` and reads `inbox/<n>`; `rpc/<method>` is a request, `reply/<client id>` its answer's topic.

    Attributes (to be set by tests):
        refuse_connect: admission's answer, instead of yes.
        revoked: account ids that do not stand any more.
        blocked: topics that nobody may write to.
        delay: what the rate limits say.
        refused_addresses: that may not connect.
    """

    def __init__(self) -> None:
        self.clock = TwinClock()
        self.quota = Quota(count=1_000, size=64 * 1_048_576)
        self.mailboxes: dict[int, Mailbox] = {}
        self.refuse_connect: ConnectRefused | None = None
        self.revoked: set[int] = set()
        self.blocked: set[str] = set()
        self.delay = 0.0
        self.refused_addresses: set[str] = set()
        self.connected: list[str] = []
        self.addresses: list[str] = []  # all that there ever were
        self.access_records: list[tuple[int, str, str | None]] = []
        self.closed_records: list[int] = []
        self.requests: list[tuple[str, bytes]] = []
        self.answer: Callable[[str, bytes], bytes] = lambda method, payload: b"answer to " + payload
        self.rpc_gate = asyncio.Event()
        self.rpc_gate.set()

    def services(self) -> Services:
        """Itself, in all roles."""
        return Services(self, self, self, self, self.ledger, self.rpc, self.clock)

    @property
    def ledger(self) -> "TwinLedger":
        return TwinLedger(self)

    # Admission.

    def admit(self, certificate: bytes | None, address: str, connect: mqtt5.ConnectPacket) -> Admitted:
        if self.refuse_connect is not None:
            raise self.refuse_connect
        number = int(connect.client_id[1:]) if connect.client_id else int(connect.username or "0")
        if not number:
            identity = _identity(999_999)
            return Admitted(identity, None, None)
        return Admitted(_identity(number), f"c{number}", number)

    # Access.

    def publish(self, identity: Identity, topic: str) -> Mailbox | RpcCall | PublishRefused:
        kind, _, rest = topic.partition("/")
        if kind == "to" and rest.isdigit() and topic not in self.blocked:
            found = self.mailbox(int(rest))
            assert found is not None
            return found
        if kind == "rpc":
            return RpcCall(rest)
        return PublishRefused(PubAckReasonCode.NOT_AUTHORIZED, "no such recipient")

    def subscribe(self, identity: Identity, client_id: str, pattern: str) -> Inbox | Reply | SubscribeRefused:
        assert isinstance(identity, DeviceIdentity)
        if identity.account_id in self.revoked:
            return SubscribeRefused(SubAckReasonCode.NOT_AUTHORIZED, "revoked")
        if pattern == f"inbox/{identity.account_id}":
            return Inbox(identity.account_id)
        if pattern == f"reply/{client_id}":
            return Reply()
        return SubscribeRefused(SubAckReasonCode.NOT_AUTHORIZED, "not yours")

    def may_answer_to(self, client_id: str, response_topic: str | None) -> bool:
        return response_topic == f"reply/{client_id}"

    # Accounts.

    def stands(self, identity: Hashable) -> bool:
        return not (isinstance(identity, DeviceIdentity) and identity.account_id in self.revoked)

    def shut_out(self, identity: Hashable) -> str | None:
        return None

    def mailbox(self, account_id: int) -> Mailbox | None:
        if account_id not in self.mailboxes:
            self.mailboxes[account_id] = Mailbox(account_id, f"inbox/{account_id}", self.quota)
        return self.mailboxes[account_id]

    # Limits.

    def connecting(self, address: str) -> bool:
        if address in self.refused_addresses:
            return False
        self.connected.append(address)
        self.addresses.append(address)
        return True

    def disconnected(self, address: str) -> None:
        self.connected.remove(address)

    def sending(self, identity: Hashable, size: int) -> float:
        return self.delay

    # Requests.

    async def rpc(self, identity: Identity, method: str, payload: bytes) -> bytes:
        self.requests.append((method, payload))
        await self.rpc_gate.wait()
        return self.answer(method, payload)


class TwinLedger:
    """The access records, in a list."""

    def __init__(self, twin: Twin) -> None:
        self._twin = twin

    async def open(self, account_id: int, address: str, client_version: str | None) -> int:
        self._twin.access_records.append((account_id, address, client_version))
        return len(self._twin.access_records)

    async def close(self, record: int) -> None:
        self._twin.closed_records.append(record)


def _identity(account_id: int) -> DeviceIdentity:
    return DeviceIdentity(DeviceAddress("twin.example", f"user{account_id}", "device"), account_id, b"", b"", math.inf)


class Pipe(Peer):
    """A connection without a network: bytes go in by `feed`, and what comes out is parsed into `packets`."""

    __slots__ = ("_exchange", "is_closed", "is_reading", "packets", "writes")

    def __init__(self, exchange: Exchange) -> None:
        super().__init__("192.0.2.1", None)
        self._exchange = exchange
        self.packets: list[mqtt5.Packet] = []
        self.writes = 0
        self.is_closed = False
        self.is_reading = True

    def feed(self, data: bytes) -> None:
        """The client has sent this."""
        self.session.receive_data(data)
        self._exchange.carry_out(self, self.session.events())
        self.flush()

    def send(self, *packets: mqtt5.Packet) -> None:
        """The client has sent these, in one segment."""
        self.feed(b"".join(packet.write() for packet in packets))

    def flush(self) -> None:
        while data := self.session.data_to_send():
            self.writes += 1
            view = memoryview(data)
            while view:
                packet, size = mqtt5.read(view)
                self.packets.append(packet)
                view = view[size:]
            if self.writable and self.delivery is not None:
                self.delivery.pump()
        if self.session.state.name == "CLOSED":
            self.is_closed = True

    def cut(self) -> None:
        """The network is gone."""
        self._exchange.leave(self)
        self.session.drop()
        self.is_closed = True

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True

    def take(self, kind: type[T]) -> list[T]:
        """The packets of one kind that have come so far; they are taken out."""
        found = [packet for packet in self.packets if isinstance(packet, kind)]
        self.packets = [packet for packet in self.packets if not isinstance(packet, kind)]
        return found


class Bench:
    """An exchange on twins, and connections to it."""

    def __init__(self) -> None:
        self.twin = Twin()
        self.exchange = Exchange(self.twin.services())
        self.committer = MemoryCommitter(self._settle)

    def _settle(self, batch: list[Accepted], outcome: Outcome) -> None:
        self.exchange.settle(batch, outcome)

    async def start(self) -> None:
        await self.exchange.start(self.committer)

    async def restart(self) -> None:
        """The relay dies here and starts again on what is in the store."""
        self.exchange = Exchange(self.twin.services())
        waiting: dict[int, list[StoredEnvelope]] = {n: self.committer.stored(n) for n in self.twin.mailboxes}
        self.twin.mailboxes.clear()
        for number, envelopes in waiting.items():
            mailbox = self.twin.mailbox(number)
            if envelopes and mailbox is not None:
                size = sum(len(envelope.payload) for envelope in envelopes)
                mailbox.restore(len(envelopes), size, envelopes[-1].sequence)
        await self.exchange.start(self.committer)

    async def connect(self, number: int, *, subscribe: bool = False, **options: Any) -> Pipe:
        """A connected client `c<number>`."""
        pipe = Pipe(self.exchange)
        pipe.send(mqtt5.ConnectPacket(options.pop("client_id", f"c{number}"), **options))
        await settled()
        if subscribe:
            pipe.send(subscribe_to(f"inbox/{number}"))
            await settled()
            pipe.take(mqtt5.SubAckPacket)
        return pipe

    async def stop(self) -> None:
        self.committer.release()
        await self.exchange.stop()
        self.committer.close()


async def settled() -> None:
    """Let the loop come to rest: nothing here waits for anything but its next round."""
    for _ in range(20):
        await asyncio.sleep(0)


def subscribe_to(*patterns: str, packet_id: int = 60_000) -> mqtt5.SubscribePacket:
    """SUBSCRIBE at QoS 1."""
    return mqtt5.SubscribePacket(
        packet_id, [mqtt5.TopicFilter(pattern, max_qos=mqtt5.QoS.AT_LEAST_ONCE) for pattern in patterns]
    )


def message(
    number: int, to: int = 2, *, size: int = 1_024, packet_id: int | None = None, **fields: Any
) -> mqtt5.PublishPacket:
    """PUBLISH number `number` to account `to`; the message id and the payload are made from the number."""
    fields.setdefault("message_expiry_interval", 3_600)
    fields.setdefault("correlation_data", number.to_bytes(16, "big"))
    return mqtt5.PublishPacket(
        fields.pop("topic", f"to/{to}"),
        fields.pop("payload", number.to_bytes(4, "big").ljust(size, b".")),
        qos=mqtt5.QoS.AT_LEAST_ONCE,
        packet_id=packet_id or number,
        **fields,
    )


def number_of(packet: mqtt5.PublishPacket) -> int:
    """Which message this is."""
    return int.from_bytes(packet.payload[:4], "big")
