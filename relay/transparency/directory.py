"""The log `directory`: an entry for each root, statement, revocation and leaving, and the proofs that look-ups answer with."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import sqlalchemy
from sqlalchemy import Connection

from blindrelay.protocol import rpc
from blindrelay.protocol.rpc import ErrorCode, Head, Included
from blindrelay.protocol.statements import DeviceStatement, Revocation, Signed
from blindrelay.protocol.transparency import directory as entries
from blindrelay.relay.errors import RequestRefused
from blindrelay.relay.identity import Identity
from blindrelay.relay.store import tables
from blindrelay.relay.threads import in_thread
from blindrelay.relay.transparency.entries import append
from blindrelay.relay.transparency.log import Log, Published

T = TypeVar("T")

# How long a look-up waits for what it answers with to be in the log. Witnesses answer within milliseconds, or not at all.
PATIENCE: Final = 5.0

_tenant, _device, _revocation = tables.tenant.c, tables.device.c, tables.revocation.c


class DirectoryLog:
    """The methods that prove."""

    def __init__(self, log: Log) -> None:
        self.log = log

    def wake(self) -> None:
        """An entry has been committed."""
        self.log.wake()

    async def prove(self, indices: Sequence[int], seen: int) -> tuple[list[Included], Head]:
        """That the entries are in the log, and that its newest checkpoint continues the one of `seen` entries (0: none).

        Raises:
            RequestRefused: they are not published; nobody is shown a device that the world is not shown.
        """
        try:
            async with asyncio.timeout(PATIENCE):
                await self.log.wait_published(max(indices))
        except TimeoutError:
            raise RequestRefused(
                ErrorCode.UNAVAILABLE, "the directory's log could not be published with its witnesses: try again later"
            ) from None
        published = self.log.published

        def proofs() -> tuple[list[Included], Head]:
            included = [Included(index=index, path=list(self.log.inclusion(index, published))) for index in indices]
            return included, Head(checkpoint=published.note, consistency=self._consistency(seen, published))

        return await self._made(proofs)

    async def _made(self, proofs: Callable[[], T]) -> T:
        """Proofs are made of tiles: of files here and now, of rows in a thread."""
        return proofs() if self.log.shelf.is_near else await in_thread(proofs)

    def _consistency(self, seen: int, published: Published) -> list[bytes]:
        # More than there is: nothing can prove that, and whoever has seen it knows what it means.
        return list(self.log.consistency(seen, published)) if seen <= published.checkpoint.size else []

    async def prove_head(self, _: Identity, request: rpc.ProveHead) -> rpc.ProvenHead:
        """That the newest checkpoint continues each of those that somebody has seen."""
        published = self.log.published
        if not published.note:
            raise RequestRefused(ErrorCode.UNAVAILABLE, "the directory's log has not been published yet")
        proofs = await self._made(lambda: [self._consistency(size, published) for size in request.seen])
        return rpc.ProvenHead(checkpoint=published.note, consistency=proofs)


# What is written in the transaction of the event.


def enter_tenant(connection: Connection, tenant: str, root: bytes) -> int:
    """A root counts for a tenant from now on; returns the index of the entry."""
    index = append(connection, tables.directory_entry, entries.tenant_entered(tenant, root).encode())
    connection.execute(sqlalchemy.update(tables.tenant).where(_tenant.name == tenant).values(log_index=index))
    return index


def enter_statement(
    connection: Connection, account_id: int, certificate: bytes, statement: DeviceStatement, signed: Signed
) -> None:
    """A device has published a statement that is signed with the key of `certificate`."""
    root = _root(connection, statement.device.tenant)
    entry = entries.device_stated(root, certificate, statement, signed)
    index = append(connection, tables.directory_entry, entry.encode())
    connection.execute(sqlalchemy.update(tables.device).where(_device.account_id == account_id).values(log_index=index))


def enter_revocation(connection: Connection, revocation: Revocation, signed: Signed) -> None:
    """A tenant has withdrawn a certificate. Called before it is written down: asked for again, it is no news."""
    known = sqlalchemy.select(_revocation.fingerprint).where(_revocation.fingerprint == revocation.certificate)
    if connection.execute(known).first() is None:
        entry = entries.device_revoked(_root(connection, revocation.device.tenant), revocation, signed)
        append(connection, tables.directory_entry, entry.encode())


def enter_leaving(connection: Connection, tenant: str, root: bytes, leaving: Signed | None) -> None:
    """A tenant has left; `root` is the SHA-256 of its root. `leaving` is what it has signed, if it was itself who wanted it."""
    append(connection, tables.directory_entry, entries.tenant_left(tenant, root, leaving).encode())


def enter_older(connection: Connection) -> None:
    """What a release that had no log has written down."""
    tenants = sqlalchemy.select(_tenant.name, _tenant.root).where(_tenant.log_index.is_(None)).order_by(_tenant.name)
    for name, root in connection.execute(tenants).all():
        enter_tenant(connection, name, root)
    devices = (
        sqlalchemy.select(_device.account_id, _device.certificate, _device.statement, _device.statement_signature)
        .where(_device.log_index.is_(None), _device.statement.is_not(None))
        .order_by(_device.account_id)
    )
    for account_id, certificate, body, signature in connection.execute(devices).all():
        statement = DeviceStatement.model_validate_json(body)
        enter_statement(connection, account_id, certificate, statement, Signed(body=body, signature=signature))


def _root(connection: Connection, tenant: str) -> bytes:
    query = sqlalchemy.select(_tenant.root).where(_tenant.name == tenant)
    return bytes(connection.execute(query).scalar_one())
