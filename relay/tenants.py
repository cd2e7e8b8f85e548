"""Tenants come in with a root, withdraw their devices' certificates, and leave."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from hashlib import sha256
from typing import Final, Protocol

import sqlalchemy
from cryptography import x509

from blindrelay.protocol import rpc
from blindrelay.protocol.address import check_tenant
from blindrelay.protocol.certificates import fingerprint, public_key
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.rpc import ErrorCode
from blindrelay.protocol.statements import Leaving, Purpose, Revocation, Signed
from blindrelay.relay import leaving
from blindrelay.relay.accounts import Accounts, Device, Tenant, checked_tenant
from blindrelay.relay.errors import RequestRefused
from blindrelay.relay.identity import AdministratorIdentity, Identity, Registrar
from blindrelay.relay.mailbox import set_closed
from blindrelay.relay.ports import Store
from blindrelay.relay.store import tables
from blindrelay.relay.store.upsert import insert_or_ignore, insert_or_update
from blindrelay.relay.transparency.directory import enter_revocation, enter_tenant

_DAY: Final = 86_400
# Mail that was taken just before a device was revoked is committed within a few batches; the purge runs until it has been.
_PURGE_ROUNDS: Final = 64
_FORGOTTEN_AT_ONCE: Final = 100


class Sessions(Protocol):
    """What is done to the sessions of those who no longer stand, and who else is told."""

    def eject(self) -> None:
        """Close every connection whose identity no longer stands."""

    def forget(self, account_id: int) -> Awaitable[None]:
        """End what is kept of a device's MQTT sessions."""

    def logged(self) -> None:
        """The log `directory` may have a new entry."""

    def log_key(self) -> str:
        """The verifier key of that log: by it a tenant names the relay that it leaves."""

    async def everywhere(self) -> None:
        """Wait until every node acts by what has been written down."""


class Tenants:
    """The methods of the registrar and of administrators.

    Args:
        accounts, store, clock: the relay's own.
        trust: makes the TLS listener admit certificates of a new root (DER).
        sessions: ends those of who no longer stands.
    """

    def __init__(
        self, accounts: Accounts, store: Store, clock: Clock, *, trust: Callable[[bytes], None], sessions: Sessions
    ) -> None:
        self._accounts = accounts
        self._store = store
        self._clock = clock
        self._trust = trust
        self._sessions = sessions

    async def register(self, identity: Identity, request: rpc.RegisterTenant) -> rpc.Empty:
        """Introduce a tenant. The same root again is no news; another root for the same name is refused."""
        if not isinstance(identity, Registrar):
            raise RequestRefused(ErrorCode.NOT_AUTHORISED, "only a registrar may do this")
        tenant = checked_tenant(check_tenant(request.tenant), request.root, request.jurisdiction)
        _check_validity(tenant.root, self._clock.now())
        if tenant.name in self._accounts.departed:
            raise _has_left(tenant.name)
        root, jurisdiction = await self._store.run(_registration(tenant, int(self._clock.now()) // _DAY))
        self._sessions.logged()
        if root != tenant.der:
            raise RequestRefused(ErrorCode.CONFLICT, f"{tenant.name} is registered already, with another root")
        known = self._accounts.tenant(tenant.name)
        if known is None:
            self._trust(tenant.der)
        if known is None or known.jurisdiction is None:
            self._accounts.add_tenant(replace(tenant, jurisdiction=jurisdiction))
            self._sessions.eject()  # those of a tenant that is now known to be where the service is suspended
        if request.jurisdiction not in {None, jurisdiction}:
            raise RequestRefused(
                ErrorCode.NOT_AUTHORISED,
                f"{tenant.name} is registered in the jurisdiction {jurisdiction}: only the relay's operator changes that",
            )
        return rpc.Empty()

    async def move(self, name: str, jurisdiction: str | None) -> None:
        """The operator says in which jurisdiction a tenant is. Raises `RequestRefused` for a tenant that there is not."""
        tenant = self._accounts.tenant(name)
        if tenant is None:
            raise RequestRefused(ErrorCode.UNKNOWN_TENANT, f"{name} is not registered here")
        update = sqlalchemy.update(tables.tenant).where(tables.tenant.c.name == name).values(jurisdiction=jurisdiction)
        await self._store.run(lambda connection: connection.execute(update) and None)
        self._accounts.add_tenant(replace(tenant, jurisdiction=jurisdiction))
        self._sessions.eject()

    async def revoke(self, identity: Identity, request: rpc.RevokeDevice) -> rpc.Empty:
        """Withdraw a certificate: its sessions end now, new ones are refused, and the mail that waits is deleted.

        Asking again is harmless, and is what to do when an answer did not come.
        """
        tenant = self._accounts.tenant(identity.tenant) if isinstance(identity, AdministratorIdentity) else None
        if tenant is None:
            raise RequestRefused(ErrorCode.NOT_AUTHORISED, "only a tenant's administrator may do this")
        signed = request.revocation
        revocation = signed.open_as(Purpose.REVOCATION, Revocation, public_key(tenant.root))
        if revocation.device.tenant != tenant.name:
            raise RequestRefused(ErrorCode.NOT_AUTHORISED, "the device is another tenant's")
        # It takes something away, so it holds at once: whatever becomes of the store, nobody uses this certificate again
        # while the relay runs.
        purged = self._accounts.revoke(revocation)
        self._sessions.eject()
        device = self._accounts.device(revocation.device)
        statement = {"body": signed.body, "signature": signed.signature}
        row = {
            "fingerprint": revocation.certificate,
            "account_id": None if device is None else device.account_id,
            **statement,
        }

        def write(connection: sqlalchemy.Connection) -> None:
            enter_revocation(connection, revocation, signed)
            insert_or_update(connection, tables.revocation, row, statement)
            if purged is not None:
                set_closed(connection, purged.account_id, closed=True)
            if device is not None:
                _withdraw(connection, device, revocation.certificate)

        await self._store.run(write)
        self._sessions.logged()
        if purged is not None:
            await self._purge(purged)
        return rpc.Empty()

    async def leave(self, identity: Identity, request: rpc.LeaveRelay) -> rpc.Empty:
        """The tenant leaves for good: nobody acts for it any more, and what is held of it is deleted when this answers.

        Asking again is harmless. Whatever keeps the deletion from its end, retention goes on with it.
        """
        if not isinstance(identity, AdministratorIdentity):
            raise RequestRefused(ErrorCode.NOT_AUTHORISED, "only a tenant's administrator may do this")
        tenant, name, signed = self._accounts.tenant(identity.tenant), identity.tenant, request.leaving
        if tenant is None:  # it is under way, and this one has asked for it: nobody else of this tenant stands
            await self._clear(name)
            return rpc.Empty()
        said = signed.open_as(Purpose.LEAVING, Leaving, public_key(tenant.root))
        if (said.tenant, said.root) != (name, fingerprint(tenant.root)):
            raise RequestRefused(ErrorCode.NOT_AUTHORISED, "it is another tenant that leaves, or another root")
        if said.log != self._sessions.log_key():
            raise RequestRefused(ErrorCode.NOT_AUTHORISED, "it is another relay that is left: ask this one for its log")
        try:
            await self._depart(tenant, signed, identity)
        finally:
            self._accounts.answered(name)
        return rpc.Empty()

    async def put_out(self, name: str) -> None:
        """The operator puts a tenant out whose administration is gone. Raises `RequestRefused` for one that there is not."""
        tenant = self._accounts.tenant(name)
        if tenant is not None:
            await self._depart(tenant, None, None)
        elif name in self._accounts.departed:
            await self._clear(name)
        else:
            raise RequestRefused(ErrorCode.UNKNOWN_TENANT, f"{name} is not registered here")

    async def _depart(self, tenant: Tenant, signed: Signed | None, asked_by: AdministratorIdentity | None) -> None:
        name, now = tenant.name, int(self._clock.now())
        # It takes something away, so it holds at once, as a revocation does.
        devices = self._accounts.depart(name, asked_by)
        self._sessions.eject()
        root = fingerprint(tenant.root)
        await self._store.run(lambda connection: leaving.note(connection, name, root, now, signed))
        self._sessions.logged()
        await self._sessions.everywhere()
        for start in range(0, len(devices), _FORGOTTEN_AT_ONCE):
            some = devices[start : start + _FORGOTTEN_AT_ONCE]
            await asyncio.gather(*(self._sessions.forget(device.account_id) for device in some))
        boxes = [box for device in devices if (box := self._accounts.drop_mailbox(device.account_id)) is not None]
        for _ in range(_PURGE_ROUNDS):
            await leaving.clear_mail(self._store, name)
            if all(box.committed + 1 >= box.next_sequence for box in boxes):
                break
            await self._store.run(
                lambda connection: None
            )  # what was taken just before is committed with this, at the latest
        await self._clear(name)

    async def _clear(self, name: str) -> None:
        await leaving.clear(self._store, name, int(self._clock.now()))

    async def _purge(self, device: Device) -> None:
        await self._sessions.forget(device.account_id)
        mailbox = self._accounts.mailbox(device.account_id)
        delete = sqlalchemy.delete(tables.envelope).where(tables.envelope.c.mailbox_id == device.account_id)
        for _ in range(_PURGE_ROUNDS):
            await self._store.run(lambda connection: connection.execute(delete) and None)
            if mailbox is None or mailbox.committed + 1 >= mailbox.next_sequence:
                break
        if mailbox is not None:
            mailbox.empty()


def _registration(tenant: Tenant, today: int) -> Callable[[sqlalchemy.Connection], tuple[bytes, str | None]]:
    """Write a tenant down, or add to it what nobody had said; returns root and jurisdiction as they are on record then."""
    table = tables.tenant
    new = {"name": tenant.name, "root": tenant.der, "registered_day": today, "jurisdiction": tenant.jurisdiction}
    add = sqlalchemy.update(table).where(
        table.c.name == tenant.name, table.c.root == tenant.der, table.c.jurisdiction.is_(None)
    )
    query = sqlalchemy.select(table.c.root, table.c.jurisdiction).where(table.c.name == tenant.name)
    has_left = sqlalchemy.select(tables.departed.c.name).where(tables.departed.c.name == tenant.name)

    def write(connection: sqlalchemy.Connection) -> tuple[bytes, str | None]:
        # Another node may have let it go a moment ago; or it is kept under an order alone.
        if connection.execute(has_left).first() is not None:
            raise _has_left(tenant.name)
        # Not by `rowcount`: psycopg's is -1 for an INSERT that SQLAlchemy has made.
        added = insert_or_ignore(connection, table).values(new).returning(table.c.name)
        if connection.execute(added).first() is not None:
            enter_tenant(connection, tenant.name, tenant.der)
        if tenant.jurisdiction is not None:
            connection.execute(add.values(jurisdiction=tenant.jurisdiction))
        row = connection.execute(query).one()
        return bytes(row.root), row.jurisdiction

    return write


def _has_left(name: str) -> RequestRefused:
    reason = f"{name} has left this relay for good, and the name is not given again: choose another one"
    return RequestRefused(ErrorCode.LEFT, reason)


def _withdraw(connection: sqlalchemy.Connection, device: Device, fingerprint: bytes) -> None:
    """Forget what was signed with the certificate, if it is the one on record by now."""
    mine = tables.device.c.account_id == device.account_id
    certificate = connection.execute(sqlalchemy.select(tables.device.c.certificate).where(mine)).scalar()
    if certificate is None or sha256(certificate).digest() != fingerprint:
        return
    connection.execute(
        sqlalchemy.update(tables.device)
        .where(mine)
        .values(statement=None, statement_signature=None, statement_sequence=None, log_index=None)
    )
    connection.execute(sqlalchemy.delete(tables.prekey).where(tables.prekey.c.account_id == device.account_id))


def _check_validity(root: x509.Certificate, now: float) -> None:
    if not root.not_valid_before_utc.timestamp() <= now < root.not_valid_after_utc.timestamp():
        raise RequestRefused(ErrorCode.VERIFICATION_FAILED, "the root certificate is expired, or not yet valid")
