"""MQTT sessions that any node may go on with: as `blindrelay.relay.sessions`, but the truth is in the database.

A connection claims its session: the row says which node has it from then on, and in which epoch. Whoever had it before hears
of that through the change feed and ends its connection; whatever it still has to write about the session is of an older epoch,
and is not written. A node that is dead is not waited for.
"""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy
from sqlalchemy import Connection, select, text
from sqlalchemy.dialects.postgresql import insert

from blindrelay.relay.cluster.presence import LIVE
from blindrelay.relay.errors import StoreAway
from blindrelay.relay.ports import Store
from blindrelay.relay.sessions import SessionRecord
from blindrelay.relay.store import tables

_presence, _session = tables.presence.c, tables.session.c

# A node that has lost a session sends on until it has heard of that. Seconds.
_UNHEARD: Final = 1

# A session whose node is dead has ended, if nobody has noticed, at this sweep.
_ORPHANED: Final = text(
    "UPDATE session SET ended_at = :now WHERE ended_at IS NULL AND EXISTS ("  # noqa: S608 - constants alone
    "SELECT FROM presence WHERE presence.account_id = session.account_id AND presence.session_node <> 0 "
    f"AND presence.session_node NOT IN (SELECT live.id FROM ({LIVE}) AS live))"
)

# The row is locked before it is read: of two nodes that claim at once, one comes after the other, and sees what that one wrote.
# One statement, because many claim at once, and each is another way to the server.
_TAKE: Final = text(
    "WITH before AS MATERIALIZED ("
    "SELECT account_id, session_node, epoch, sent_up_to FROM presence WHERE account_id = :account_id FOR UPDATE"
    ") UPDATE presence SET session_node = :node, epoch = before.epoch + 1, sent_up_to = 0 "
    "FROM before WHERE presence.account_id = before.account_id "
    "RETURNING before.session_node, before.epoch, before.sent_up_to"
)

_WRITTEN: Final = (
    "INSERT INTO session (account_id, client_id, expiry, ended_at, subscriptions) "
    "SELECT account_id, :client_id, :expiry, CAST(:ended_at AS bigint), :subscriptions FROM {ours} "
    "ON CONFLICT (account_id, client_id) DO UPDATE SET "
    "expiry = excluded.expiry, ended_at = excluded.ended_at, subscriptions = excluded.subscriptions "
    "RETURNING account_id"
)
_OURS: Final = "SELECT account_id FROM presence WHERE account_id = :account_id AND epoch = :epoch FOR UPDATE"
# A row that is locked is being claimed by somebody else: who ends waits for nobody. Else two nodes, of which one loses many
# connections that the other gets, would wait for one another. What is promised to somebody who stays is another matter.
#
# What may have been sent: here, or at the node that had the session before and could not say. What that one may have sent and
# we have not sent again is still there: the client has not acknowledged it to anybody. `unknown_until`: -1 where all is known.
_ENDED: Final = (
    f"WITH ours AS MATERIALIZED ({_OURS} SKIP LOCKED), "  # noqa: S608 - constants alone
    "ended AS (UPDATE presence SET session_node = 0, sent_up_to = greatest(CAST(:sent_up_to AS bigint), coalesce(("
    "SELECT max(sequence) FROM envelope WHERE mailbox_id = :account_id AND accepted_at <= :unknown_until), 0)) "
    "FROM ours WHERE presence.account_id = ours.account_id RETURNING presence.account_id) "
)
# Each is one statement, for the reason above.
_KEEP: Final = text(f"WITH ours AS MATERIALIZED ({_OURS}) {_WRITTEN.format(ours='ours')}")
_END: Final = text(_ENDED + _WRITTEN.format(ours="ended"))
_END_AND_FORGET: Final = text(
    f"{_ENDED}, forgotten AS (DELETE FROM session USING ended "  # noqa: S608 - constants alone
    "WHERE session.account_id = ended.account_id AND session.client_id = :client_id) SELECT account_id FROM ended"
)


@dataclass(frozen=True, slots=True)
class _Claim:
    epoch: int
    present: bool = False
    subscriptions: frozenset[str] = frozenset()
    sent_up_to: int = 0
    unknown_until: int = -1


class SharedSessions:
    """The sessions of devices that are connected to this node.

    Args:
        store: where they are.
        now: epoch seconds, unmoved by steps of the wall clock.
        node: this node's number.
    """

    def __init__(self, store: Store, now: Callable[[], int], node: int) -> None:
        self._store = store
        self._now = now
        self._node = node

    async def load(self) -> None:
        """Nothing: a session is read when it is claimed."""

    def open(self, account_id: int, client_id: str, *, clean_start: bool, expiry: int) -> tuple[SessionRecord, bool]:
        """A connection begins. What there was before, `claim` finds out."""
        return SessionRecord(account_id, client_id, expiry), False

    async def claim(
        self, record: SessionRecord, *, clean_start: bool, present: bool, is_awaited: Callable[[], bool]
    ) -> bool:
        """The session is this connection's from now on, on all nodes; returns whether it was there before.

        A clean start takes away what was there when its client was last known to wait for it, and nothing newer. The database
        may hear of it late: of a client that has given up, has been let in elsewhere, and relies on what it did there.

        Raises what the store raises, `StoreAway` also where there is something newer; then nothing has been claimed.
        """
        now, node, instead_of = self._now, self._node, None
        if clean_start:
            instead_of = await self._store.read(lambda connection: _epoch(connection, record.account_id))
            if not is_awaited():
                return False
        try:
            claim = await self._store.run(lambda connection: _claim(connection, record, node, now, instead_of))
        except sqlalchemy.exc.IntegrityError as error:
            raise StoreAway("the device is being enrolled at another node") from error
        record.epoch = claim.epoch
        record.subscriptions.update(claim.subscriptions)
        record.sent_up_to, record.unknown_until = claim.sent_up_to, claim.unknown_until
        return claim.present

    def end(self, record: SessionRecord, expiry: int) -> None:
        """Its connection is over, and this is how long it is to be kept. Nothing is durable before `save`."""
        record.expiry = expiry
        record.ended_at = self._now()

    def needs_saving(self, record: SessionRecord) -> bool:
        """Whether it was claimed: then the others have to hear of its end."""
        return record.epoch > 0

    async def save(self, record: SessionRecord) -> bool:
        """Make durable what memory says of this session, unless it is another connection's by now."""
        return await self._store.run(lambda connection: _save(connection, record))

    async def purge(self) -> None:
        """Forget the sessions whose interval has passed, and notice that those have ended whose node is dead."""
        now = self._now()
        is_over = _session.ended_at.is_not(None) & (_session.ended_at + _session.expiry <= now)

        def write(connection: Connection) -> None:
            connection.execute(_ORPHANED, {"now": now})
            connection.execute(sqlalchemy.delete(tables.session).where(is_over))

        await self._store.run(write)

    async def epochs(self, account_ids: Collection[int]) -> dict[int, int]:
        """In which epoch the sessions of these devices are that other nodes have, or have had since: one that took a session
        and ended it at once has taken it all the same."""
        query = select(_presence.account_id, _presence.epoch).where(
            _presence.account_id.in_(account_ids), _presence.session_node != self._node
        )
        found = await self._store.read(lambda connection: list(connection.execute(query)))
        return {row.account_id: row.epoch for row in found}

    async def forget(self, account_id: int) -> None:
        """End all sessions of a device that is no longer welcome."""
        delete = sqlalchemy.delete(tables.session).where(_session.account_id == account_id)
        await self._store.run(lambda connection: connection.execute(delete) and None)


def _epoch(connection: Connection, account_id: int) -> int:
    query = select(_presence.epoch).where(_presence.account_id == account_id)
    return int(connection.execute(query).scalar_one_or_none() or 0)


def _claim(
    connection: Connection, record: SessionRecord, node: int, clock: Callable[[], int], instead_of: int | None
) -> _Claim:
    """`instead_of`: the epoch that a clean start ends; None: it goes on with whatever there is."""
    mine = {"account_id": record.account_id, "client_id": record.client_id}
    has_been_here = True
    before = _take(connection, record.account_id, node)
    if before is None:  # it comes for the first time, perhaps to two nodes at once
        first = insert(tables.presence).values(account_id=record.account_id).on_conflict_do_nothing()
        has_been_here = connection.execute(first.returning(_presence.account_id)).first() is None
        before = _take(connection, record.account_id, node)
        assert before is not None  # noqa: S101 - nobody deletes it but with the device
    if instead_of is not None and before.epoch != instead_of:
        raise StoreAway("another connection has had the session meanwhile")
    # Not before the row is ours: whoever had it until now may have sent what was accepted while we waited for the database.
    now = clock()
    epoch = before.epoch + 1
    old = connection.execute(
        select(_session.expiry, _session.ended_at, _session.subscriptions).where(*_of(mine))
    ).one_or_none()
    is_over = old is None or (old.ended_at is not None and old.ended_at + old.expiry <= now)
    if old is None or is_over or instead_of is not None:
        claim = _Claim(epoch)
    else:
        sent_up_to, unknown_until = _sent(before, old.ended_at, now, has_been_here=has_been_here)
        claim = _Claim(epoch, True, frozenset(json.loads(old.subscriptions)), sent_up_to, unknown_until)
    _write(connection, mine, record.expiry, None, claim.subscriptions)
    return claim


def _take(connection: Connection, account_id: int, node: int) -> "sqlalchemy.Row[Any] | None":
    """Let a session be this node's, and return what it was before; None: there is no row."""
    return connection.execute(_TAKE, {"account_id": account_id, "node": node}).one_or_none()


def _sent(before: "sqlalchemy.Row[Any]", ended_at: int | None, now: int, *, has_been_here: bool) -> tuple[int, int]:
    """What may have been sent in a session up to now: `sent_up_to`, and `unknown_until`."""
    if before.session_node != 0:
        # The node has not said what, and may have sent anything until now. `ended_at` is a sweep's, if it is there: the node
        # may have been taken for dead and have come back. DUP says that a message might have been sent before [3.3.1.1].
        return 0, now + _UNHEARD
    if has_been_here:
        return before.sent_up_to, -1
    return 0, now + _UNHEARD if ended_at is None else ended_at  # of the time when there was one relay


def _save(connection: Connection, record: SessionRecord) -> bool:
    values = {
        "account_id": record.account_id,
        "client_id": record.client_id,
        "epoch": record.epoch,
        "expiry": record.expiry,
        "ended_at": record.ended_at,
        "subscriptions": json.dumps(sorted(record.subscriptions)),
        "sent_up_to": record.sent_up_to,
        "unknown_until": record.unknown_until,
    }
    statement = _KEEP if record.ended_at is None else _END if record.expiry else _END_AND_FORGET
    return connection.execute(statement, values).first() is not None


def _write(
    connection: Connection,
    mine: dict[str, Any],
    expiry: int,
    ended_at: int | None,
    subscriptions: frozenset[str] | set[str],
) -> None:
    values = {"expiry": expiry, "ended_at": ended_at, "subscriptions": json.dumps(sorted(subscriptions))}
    connection.execute(
        insert(tables.session)
        .values(**mine, **values)
        .on_conflict_do_update(index_elements=["account_id", "client_id"], set_=values)
    )


def _of(mine: dict[str, Any]) -> tuple[sqlalchemy.ColumnElement[bool], ...]:
    return _session.account_id == mine["account_id"], _session.client_id == mine["client_id"]
