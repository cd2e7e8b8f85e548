"""A tenant leaves: what the relay has of it goes, and a name stays that nobody gets again.

`note` is the moment from which on nobody acts for the tenant, in one transaction with the entry of the public log. `clear`
deletes, a few rows at a time; whatever interrupts it, `sweep` goes on where it came to: it runs with retention, at each start
and each hour.

What goes, and what stays (docs/how-to/leave-a-relay.md says it to people):

- `tenant`, `device`: go. Of an account that an order preserves the row stays, without any key, until the order ends.
- `prekey`, `revocation`, `session`, `presence`: go. No certificate of the tenant's is accepted any more, revoked or not.
- `envelope`: what waits for its devices goes. What they have sent waits for whom it is for.
- `mailbox`: is closed and emptied now, and goes a day later: a node that was stopped meanwhile may not fill it.
- `recent_id`, `traffic`, `access`: go, whoever is at the other end. What an order preserves stays until it ends.
- `notice`, `notice_seen`, `charge`: go; `connection_event` goes with its connection.
- `connection_watch`, `preservation`, `preserved_account`: are the desk's, and end with the order.
- `departed`, `directory_entry`, `log_tile`, `log_head`: stay, that is the name, and what everybody was shown.
- `change`: goes within an hour or two, as ever. `service_change` and `node` are about no tenant.

The desk's case files and the log `lawful-access` only grow: what authorities asked stays on record whoever has left.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final, TypeVar

import sqlalchemy
from pydantic import ValidationError
from sqlalchemy import Connection, delete, select, update

from blindrelay.protocol.statements import Revocation, Signed
from blindrelay.relay.desk.preservation import is_preserved
from blindrelay.relay.erasing import erase, scalars
from blindrelay.relay.ports import Store
from blindrelay.relay.store import tables
from blindrelay.relay.store.upsert import insert_or_ignore, insert_or_update
from blindrelay.relay.transparency.directory import enter_leaving

# Of how many accounts one commit forgets the small things.
_AT_ONCE: Final = 100
_DAY: Final = 86_400

T = TypeVar("T")

_device, _departed = tables.device.c, tables.departed.c
_order, _kept = tables.preservation.c, tables.preserved_account.c
_recent, _access = tables.recent_id.c, tables.access.c
_names: Final = select(_departed.name)


def note(connection: Connection, name: str, root: bytes, now: int, leaving: Signed | None) -> None:
    """The tenant has left; `root` is the SHA-256 of its root. Done twice it is the same as once."""
    row = {"name": name, "root": root, "left_day": now // _DAY}
    added = insert_or_ignore(connection, tables.departed).values(row).returning(_departed.name)
    if connection.execute(added).first() is not None:
        enter_leaving(connection, name, root, leaving)
    # From here on no node's batch puts anything into one of its mailboxes, whatever that node has heard. In the order in which
    # batches take them, so that neither waits for the other.
    mine = select(_device.account_id).where(_device.tenant == name).order_by(_device.account_id)
    for account_id in list(connection.execute(mine).scalars()):
        closed = {"closed": 1, "last_sequence": 0, "waiting": 0, "waiting_size": 0}
        insert_or_update(connection, tables.mailbox, {"account_id": account_id, **closed}, closed)


async def clear(store: Store, name: str, now: int) -> None:
    """Delete what there is of a tenant that has left. Raises what the store raises; what went before stays gone."""
    mine = select(_device.account_id).where(_device.tenant == name)
    await clear_mail(store, name)
    accounts = await store.read(scalars(mine))
    for some in _some(accounts):
        await store.run(partial(_forget, some))
    await _clear_recent(store, mine)
    traffic = tables.traffic.c
    await erase(store, tables.traffic, traffic.sender_id.in_(mine) | traffic.recipient_id.in_(mine), now)
    await _clear_events(store, mine, now)
    await erase(store, tables.access, _access.account_id.in_(mine), now)
    await store.run(partial(_forget_name, name))
    for some in _some(accounts):
        await store.run(partial(_strike, some, now))
    # A device that was written down meanwhile, at a node that had not heard of it, is left for the next time.
    empty = ~select(_device.account_id).where(_device.tenant == name).exists()
    gone = delete(tables.tenant).where(tables.tenant.c.name == name, empty)
    await store.run(lambda connection: connection.execute(gone) and None)
    store.scrub()


async def clear_mail(store: Store, name: str) -> None:
    """Delete what waits for the tenant's devices."""
    mailbox_id = tables.envelope.c.mailbox_id
    mine = select(_device.account_id).where(_device.tenant == name)
    for account_id in await store.read(scalars(select(mailbox_id).distinct().where(mailbox_id.in_(mine)))):
        statement = delete(tables.envelope).where(mailbox_id == account_id)
        await store.run(partial(_execute, statement))


async def sweep(store: Store, now: int) -> None:
    """Delete what is left of tenants that have left: what was interrupted, what an order has kept that has ended, what has come
    late. Where nobody has left nothing is done."""
    if not await store.read(scalars(_names.limit(1))):
        return
    for name in await store.read(scalars(select(tables.tenant.c.name).where(tables.tenant.c.name.in_(_names)))):
        await clear(store, name, now)
    for statement in (
        delete(tables.charge).where(tables.charge.c.tenant.in_(_names)),
        delete(tables.notice).where(tables.notice.c.tenant.in_(_names)),
        *_late(now),
    ):
        await store.run(partial(_execute, statement))


def _late(now: int) -> Sequence[sqlalchemy.Delete]:
    """What may still come in the hour of the leaving, and is nobody's the day after."""
    mailbox, presence = tables.mailbox.c, tables.presence.c
    settled = select(_departed.name).where(_departed.left_day < now // _DAY).exists()
    # An account is nobody's when there is no device of that number; of those that never left there always is one.
    return (
        delete(tables.mailbox).where(mailbox.closed == 1, _is_nobodys(mailbox.account_id), settled),
        delete(tables.presence).where(_is_nobodys(presence.account_id), settled),
    )


def _is_nobodys(account_id: sqlalchemy.Column[int]) -> sqlalchemy.ColumnElement[bool]:
    return ~select(_device.account_id).where(_device.account_id == account_id).correlate(account_id.table).exists()


def _execute(statement: sqlalchemy.Delete, connection: Connection) -> None:
    connection.execute(statement)


def _forget(accounts: Sequence[int], connection: Connection) -> None:
    """What there is of these accounts by their number, but for records."""
    both = [*accounts, *(-account_id for account_id in accounts)]  # `recent_id.owner` of sealed senders
    connection.execute(delete(tables.recent_id).where(_recent.owner.in_(both)))
    for table in (tables.prekey, tables.revocation, tables.session, tables.notice_seen, tables.presence):
        connection.execute(delete(table).where(table.c.account_id.in_(accounts)))


async def _clear_recent(store: Store, mine: sqlalchemy.Select[tuple[int]]) -> None:
    """What others remember of having sent to these accounts. There is no index: a ring is 1,024 rows at most."""
    for owner in await store.read(scalars(select(_recent.owner).distinct().where(_recent.recipient.in_(mine)))):
        statement = delete(tables.recent_id).where(_recent.owner == owner, _recent.recipient.in_(mine))
        await store.run(partial(_execute, statement))


async def _clear_events(store: Store, mine: sqlalchemy.Select[tuple[int]], now: int) -> None:
    going = select(_access.id).where(_access.account_id.in_(mine), ~is_preserved(tables.access, now))
    event = tables.connection_event
    await store.run(partial(_execute, delete(event).where(event.c.access_id.in_(going))))


def _forget_name(name: str, connection: Connection) -> None:
    """What names the tenant and no account."""
    for table in (tables.charge, tables.notice):
        connection.execute(delete(table).where(table.c.tenant == name))
    # Of devices that never came here.
    revocation = tables.revocation.c
    unknown = select(revocation.fingerprint, revocation.body).where(revocation.account_id.is_(None))
    theirs = [fingerprint for fingerprint, body in connection.execute(unknown) if _tenant_of(body) == name]
    for some in _some(theirs):
        connection.execute(delete(tables.revocation).where(revocation.fingerprint.in_(some)))


def _tenant_of(body: bytes) -> str | None:
    try:
        return Revocation.model_validate_json(body).device.tenant
    except ValidationError:
        return None


def _strike(accounts: Sequence[int], now: int, connection: Connection) -> None:
    """Delete the devices; of those that an order preserves, their keys: who the kept records are about is kept with them."""
    preserved = (
        select(_kept.account_id)
        .join(tables.preservation, _order.key == _kept.key)
        .where(_kept.account_id == _device.account_id, _order.ends_at > now)
        .correlate(tables.device)
        .exists()
    )
    these = _device.account_id.in_(accounts)
    connection.execute(delete(tables.device).where(these, ~preserved))
    bare = {"statement": None, "statement_signature": None, "statement_sequence": None, "log_index": None}
    connection.execute(update(tables.device).where(these).values(certificate=b"", **bare))


def _some(many: Sequence[T]) -> Iterator[Sequence[T]]:
    return (many[start : start + _AT_ONCE] for start in range(0, len(many), _AT_ONCE))
