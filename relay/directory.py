"""The directory: who has which devices, what those say their keys are, and prekeys for the first message to them.

The relay verifies everything before it keeps it, so that nonsense is refused to whoever sent it. Nobody has to believe the
relay for that: a client verifies the same signatures again. It can withhold; it cannot forge.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

import sqlalchemy
from cryptography.hazmat.primitives.asymmetric import ec

from blindrelay.protocol import rpc
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.certificates import load, public_key
from blindrelay.protocol.errors import VerificationFailed
from blindrelay.protocol.rpc import MAX_ONE_TIME_PREKEYS, ErrorCode
from blindrelay.protocol.statements import DeviceStatement, Prekey, Purpose, Signed
from blindrelay.relay.accounts import Accounts, Device
from blindrelay.relay.errors import RequestRefused
from blindrelay.relay.identity import DeviceIdentity, Identity, SealedSender
from blindrelay.relay.limits import Limits
from blindrelay.relay.ports import Store
from blindrelay.relay.store import tables
from blindrelay.relay.transparency.directory import DirectoryLog, enter_statement

# A signature takes about a tenth of a millisecond to verify: after so many, others have their turn.
_SIGNATURES_AT_ONCE: Final = 8

_prekey = tables.prekey.c
_device = tables.device.c

Content = TypeVar("Content", DeviceStatement, Prekey)


class TokensReplaced(Protocol):
    """Told when the delivery tokens of a user may have changed."""

    def __call__(self) -> None:
        """End what no longer stands."""


class Directory:
    """The methods that look up and publish."""

    def __init__(
        self, accounts: Accounts, store: Store, limits: Limits, log: DirectoryLog, tokens_replaced: TokensReplaced
    ) -> None:
        self._accounts = accounts
        self._store = store
        self._limits = limits
        self._log = log
        self._tokens_replaced = tokens_replaced

    # Look-ups.

    async def look_up_tenant(self, _: Identity, request: rpc.LookUpTenant) -> rpc.TenantEntry:
        """A tenant's root."""
        tenant = self._accounts.tenant(request.tenant)
        self._check_here(request.tenant)
        if tenant is None:
            raise RequestRefused(ErrorCode.UNKNOWN_TENANT, "no such tenant is registered with this relay")
        (included,), head = await self._log.prove([await self._store.read(_entry_of(tenant.name))], request.seen)
        return rpc.TenantEntry(tenant=tenant.name, root=tenant.der, included=included, head=head)

    async def look_up_user(self, identity: Identity, request: rpc.LookUpUser) -> rpc.UserEntry:
        """A user's devices. A sealed sender may ask about its recipient alone."""
        user = request.user
        tenant = self._accounts.tenant(user.tenant)
        known = {device.account_id: device for device in self._accounts.devices_of(user)}
        if isinstance(identity, SealedSender) and identity.recipient != user:
            known = {}
        if not isinstance(identity, SealedSender):
            self._check_here(user.tenant)
        if tenant is None or not known:
            raise RequestRefused(ErrorCode.UNKNOWN_USER, "no such user, or none that you may write to")
        query = (
            sqlalchemy.select(
                _device.account_id,
                _device.certificate,
                _device.statement,
                _device.statement_signature,
                _device.log_index,
            )
            .where(_device.account_id.in_(list(known)), _device.statement.is_not(None))
            .order_by(_device.account_id)
        )
        root, rows = await self._store.read(
            lambda connection: (_entry_of(tenant.name)(connection), list(connection.execute(query)))
        )
        (root_included, *included), head = await self._log.prove([root, *(row.log_index for row in rows)], request.seen)
        devices = [
            rpc.DeviceEntry(
                device=known[row.account_id].address,
                certificate=row.certificate,
                statement=Signed(body=row.statement, signature=row.statement_signature),
                included=proof,
            )
            for row, proof in zip(rows, included, strict=True)
            # It may have been revoked while the store was being read.
            if self._accounts.may_be_written_to(known[row.account_id])
        ]
        return rpc.UserEntry(user=user, root=tenant.der, root_included=root_included, devices=devices, head=head)

    def _check_here(self, tenant: str) -> None:
        if tenant in self._accounts.departed:  # which the public log says to everybody
            raise RequestRefused(ErrorCode.LEFT, f"{tenant} has left this relay: nobody there can be written to")

    # Statements.

    async def publish_statement(self, identity: Identity, request: rpc.PublishStatement) -> rpc.Empty:
        """Keep a device's statement, if its sequence is higher than that of the one before."""
        identity, device, key = self._own(identity)
        statement = _opened(request.statement, Purpose.STATEMENT, DeviceStatement, key, device.address)
        if statement.sequence <= device.sequence:
            raise _not_higher(device.sequence)
        self._check_standing(identity)
        # The condition stands in the statement itself: of two at once, the higher one stays.
        update = (
            sqlalchemy.update(tables.device)
            .where(
                _device.account_id == device.account_id,
                sqlalchemy.func.coalesce(_device.statement_sequence, 0) < statement.sequence,
            )
            .values(
                certificate=identity.certificate,
                statement=request.statement.body,
                statement_signature=request.statement.signature,
                statement_sequence=statement.sequence,
            )
        )

        def write(connection: sqlalchemy.Connection) -> bool:
            _drop_foreign_prekeys(connection, device.account_id, identity.certificate)
            if connection.execute(update).rowcount != 1:
                return False
            enter_statement(connection, device.account_id, identity.certificate, statement, request.statement)
            return True

        if not await self._store.run(write):
            raise _not_higher(device.sequence)
        self._log.wake()
        self._check_standing(identity)  # it may have been revoked while it was being written
        if statement.sequence > device.sequence:
            replaced = device.verifier not in (None, statement.token_verifier)
            self._accounts.published(device, identity.fingerprint, statement)
            if replaced:
                self._tokens_replaced()
        return rpc.Empty()

    # Prekeys.

    async def publish_prekeys(self, identity: Identity, request: rpc.PublishPrekeys) -> rpc.PrekeyCount:
        """Add one-time keys, replace the fallback key. More than a device can remember pushes the oldest out."""
        identity, device, key = self._own(identity)
        if device.fingerprint != identity.fingerprint:
            raise RequestRefused(
                ErrorCode.CONFLICT, "the certificate is a new one: publish a statement that is signed with it first"
            )
        for count, signed in enumerate(request.one_time, 1):
            _check_prekey(signed, "one-time", key, device.address)
            if count % _SIGNATURES_AT_ONCE == 0:
                await asyncio.sleep(0)
        if request.fallback is not None:
            _check_prekey(request.fallback, "fallback", key, device.address)
        self._check_standing(identity)
        count = await self._store.run(
            lambda connection: _keep_prekeys(connection, device.account_id, request.one_time, request.fallback)
        )
        return rpc.PrekeyCount(one_time=count)

    async def count_prekeys(self, identity: Identity, _request: rpc.Empty) -> rpc.PrekeyCount:
        """How many one-time keys of its own are left."""
        _, device, _ = self._own(identity)
        count = await self._store.read(lambda connection: _count(connection, device.account_id))
        return rpc.PrekeyCount(one_time=count)

    async def claim_prekeys(self, identity: Identity, request: rpc.ClaimPrekeys) -> rpc.ClaimedPrekeys:
        """Hand out a key of each device: a one-time key once and never again, else the fallback key."""
        addresses = list(dict.fromkeys(request.devices))
        if not self._limits.claiming(identity, len(addresses)):
            raise RequestRefused(ErrorCode.RATE_LIMITED, "too many prekeys claimed: wait a minute and ask again")
        wanted = {str(address): device.account_id for address in addresses if (device := self._of(identity, address))}
        # It is gone from the store, durably, before anybody has it.
        claimed = await self._store.run(
            lambda connection: {address: _claim(connection, account_id) for address, account_id in wanted.items()}
        )
        return rpc.ClaimedPrekeys(
            prekeys={address: signed for address, signed in claimed.items() if signed is not None}
        )

    def _of(self, identity: Identity, address: DeviceAddress) -> Device | None:
        if isinstance(identity, SealedSender) and identity.recipient != address.owner:
            return None
        device = self._accounts.device(address)
        return device if device is not None and self._accounts.may_be_written_to(device) else None

    def _own(self, identity: Identity) -> tuple[DeviceIdentity, Device, ec.EllipticCurvePublicKey]:
        device = self._accounts.device(identity.address) if isinstance(identity, DeviceIdentity) else None
        if device is None or not isinstance(identity, DeviceIdentity):
            raise RequestRefused(ErrorCode.NOT_AUTHORISED, "only a device may do this")
        return identity, device, public_key(load(identity.certificate))

    def _check_standing(self, identity: DeviceIdentity) -> None:
        if not self._accounts.stands(identity):
            raise RequestRefused(ErrorCode.NOT_AUTHORISED, "the certificate has been revoked, or has expired")


def _opened(
    signed: Signed, purpose: Purpose, kind: type[Content], key: ec.EllipticCurvePublicKey, device: DeviceAddress
) -> Content:
    content = signed.open_as(purpose, kind, key)
    if content.device != device:
        raise VerificationFailed(purpose.value, "it names another device than the one that sent it")
    return content


def _check_prekey(signed: Signed, kind: str, key: ec.EllipticCurvePublicKey, device: DeviceAddress) -> None:
    if _opened(signed, Purpose.PREKEY, Prekey, key, device).kind != kind:
        raise VerificationFailed(Purpose.PREKEY.value, f"expected a {kind} key")


def _entry_of(tenant: str) -> Callable[[sqlalchemy.Connection], int]:
    """Where a registered tenant's root is in the log."""
    query = sqlalchemy.select(tables.tenant.c.log_index).where(tables.tenant.c.name == tenant)
    return lambda connection: int(connection.execute(query).scalar_one())


def _not_higher(current: int) -> RequestRefused:
    return RequestRefused(
        ErrorCode.CONFLICT, f"the statement's sequence is not higher than {current}, that of the current one"
    )


def _count(connection: sqlalchemy.Connection, account_id: int) -> int:
    query = sqlalchemy.select(sqlalchemy.func.count()).where(_prekey.account_id == account_id, _prekey.is_fallback == 0)
    return int(connection.execute(query).scalar_one())


def _drop_foreign_prekeys(connection: sqlalchemy.Connection, account_id: int, certificate: bytes) -> None:
    """Prekeys that another key has signed do not verify any more, once the statement is signed with this one."""
    query = sqlalchemy.select(_device.certificate).where(_device.account_id == account_id)
    before = public_key(load(connection.execute(query).scalar_one()))
    if before != public_key(load(certificate)):
        connection.execute(sqlalchemy.delete(tables.prekey).where(_prekey.account_id == account_id))


def _keep_prekeys(
    connection: sqlalchemy.Connection, account_id: int, one_time: list[Signed], fallback: Signed | None
) -> int:
    mine = _prekey.account_id == account_id
    if fallback is not None:
        connection.execute(sqlalchemy.delete(tables.prekey).where(mine, _prekey.is_fallback == 1))
    # A request that is repeated because its answer was lost must not make a key count, and be handed out, twice.
    kept = set(connection.execute(sqlalchemy.select(_prekey.body).where(mine)).scalars())
    rows = [(0, signed) for signed in one_time] + ([(1, fallback)] if fallback is not None else [])
    for is_fallback, signed in rows:
        if signed.body not in kept:
            kept.add(signed.body)
            connection.execute(
                sqlalchemy.insert(tables.prekey).values(
                    account_id=account_id, is_fallback=is_fallback, body=signed.body, signature=signed.signature
                )
            )
    newest = (
        sqlalchemy.select(_prekey.id)
        .where(mine, _prekey.is_fallback == 0)
        .order_by(_prekey.id.desc())
        .limit(MAX_ONE_TIME_PREKEYS)
    )
    connection.execute(
        sqlalchemy.delete(tables.prekey).where(mine, _prekey.is_fallback == 0, _prekey.id.not_in(newest))
    )
    return _count(connection, account_id)


def _claim(connection: sqlalchemy.Connection, account_id: int) -> Signed | None:
    keys = (
        sqlalchemy.select(_prekey.id, _prekey.body, _prekey.signature)
        .where(_prekey.account_id == account_id)
        .order_by(_prekey.id)
        .limit(1)
    )
    # One that another node is handing out just now is passed over. SQLite, which has one that writes, knows no such lock.
    row = connection.execute(keys.where(_prekey.is_fallback == 0).with_for_update(skip_locked=True)).first()
    if row is None:
        row = connection.execute(keys.where(_prekey.is_fallback == 1)).first()
    else:
        connection.execute(sqlalchemy.delete(tables.prekey).where(_prekey.id == row.id))
    return None if row is None else Signed(body=row.body, signature=row.signature)
