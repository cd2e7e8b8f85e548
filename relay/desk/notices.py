"""What users are told, and when they come to ask.

A notice is written down and signed when it may be told, not before: while the law forbids to speak, nothing about it is in the
tables from which users are answered, so that the answer to a user with a case is that to a user without one. When it may be
told is the desk's schedule (`blindrelay.relay.desk.desk`); it calls `give`.

Told is the user whose account was the target, on all devices, those included that are enrolled later. Whoever only wrote to a
target, or was written to, is not told: the relay would have to tell them of the target.

Tenants are told of each change of the service in their jurisdiction: their people on their devices, and their administrators,
who are let in even while the service is suspended.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, TypeVar

import sqlalchemy
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import and_, or_, select

from blindrelay.policies.request import Target, TargetFormat
from blindrelay.protocol.address import DeviceAddress, UserAddress
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.notices import (
    AskNotices,
    DisclosedClass,
    DisclosureNotice,
    Notice,
    NoticeBody,
    NoticePage,
    ServiceNotice,
)
from blindrelay.protocol.statements import Purpose, Signed
from blindrelay.relay.desk.ports import NoticeOrder
from blindrelay.relay.identity import AdministratorIdentity, DeviceIdentity, Identity
from blindrelay.relay.store import tables
from blindrelay.relay.store.types import Number
from blindrelay.relay.store.upsert import insert_or_ignore

T = TypeVar("T")

_DAY: Final = 86_400
# What an answer holds at most: 64 notices of 1 kB are well within one packet.
PAGE: Final = 64
_CLASSES: Final[tuple[DisclosedClass, ...]] = ("SUBSCRIBER", "ACCESS", "TRAFFIC")
_LINE: Final = 400

_notice, _seen, _device, _tenant = tables.notice.c, tables.notice_seen.c, tables.device.c, tables.tenant.c


class Store(Protocol):
    """What notices ask of the committer."""

    def run(self, write: Callable[[sqlalchemy.Connection], T]) -> Awaitable[T]:
        """Write inside the next commit; durable on return."""

    def read(self, query: Callable[[sqlalchemy.Connection], T]) -> Awaitable[T]:
        """Read what is committed."""


class Signer(Protocol):
    """The desk's identity: see `blindrelay.relay.desk.identity.DeskIdentity`."""

    @property
    def certificate(self) -> x509.Certificate:
        """What devices check with."""

    def sign(self, data: bytes) -> bytes:
        """ECDSA P-256 with SHA-256."""


#: Tell connected devices of these tenants or users that there is something to ask for.
Nudge = Callable[[Callable[[DeviceAddress], bool]], None]


@dataclass(frozen=True, slots=True)
class Audience:
    """For whom a notice is: a user, or a jurisdiction."""

    user: UserAddress | None = None
    jurisdiction: str | None = None

    @property
    def columns(self) -> dict[str, str | None]:
        """The same as columns."""
        user = self.user
        return {
            "tenant": None if user is None else user.tenant,
            "user": None if user is None else user.user,
            "jurisdiction": self.jurisdiction,
        }


class NoticeBoard:
    """The notices of a relay.

    Args:
        signer: None on a relay without a desk, which gives no notices.
        nudge: reaches the devices that are connected; the others ask when they come.
    """

    def __init__(self, store: Store, clock: Clock, *, nudge: Nudge, signer: Signer | None = None) -> None:
        self._store = store
        self._clock = clock
        self._nudge = nudge
        self._signer = signer
        self._certificate = b"" if signer is None else signer.certificate.public_bytes(Encoding.DER)

    @property
    def has_key(self) -> bool:
        """Whether this relay can give notices."""
        return self._signer is not None

    async def give(self, order: NoticeOrder) -> int:
        """Put the notice where each device of the targets finds it; returns for how many accounts (devices) that is.

        Giving the same order twice is the same as once. Raises what the store raises.
        """
        if self._signer is None:
            raise RuntimeError("a relay without a desk's key gives no notices")
        users = await self._store.read(lambda connection: _users(connection, order.targets))
        now = int(self._clock.now())
        notices = [(self._disclosure(order, user, now), Audience(user=user)) for user in sorted(users)]
        await self.post(notices)
        return sum(users.values())

    async def post(self, notices: Iterable[tuple[Notice, Audience]]) -> None:
        """Sign, write down, and tell those who are there. A notice whose id is there already stays as it is."""
        rows = [self._row(notice, audience) for notice, audience in notices]
        if not rows:
            return
        await self._store.run(
            lambda connection: connection.execute(insert_or_ignore(connection, tables.notice), rows) and None
        )
        users = {(row["tenant"], row["user"]) for row in rows if row["user"] is not None}
        await self._tell(users, {row["jurisdiction"] for row in rows} - {None})

    async def announce(self, numbers: Collection[int]) -> None:
        """Tell those who are here of notices that another node has posted."""
        which = select(_notice.tenant, _notice.user, _notice.jurisdiction).where(_notice.id.in_(numbers))
        rows = await self._store.read(lambda connection: list(connection.execute(which)))
        await self._tell(
            {(row.tenant, row.user) for row in rows if row.user}, {row.jurisdiction for row in rows} - {None}
        )

    async def _tell(self, users: Collection[tuple[object, object]], places: set[object]) -> None:
        tenants = await self._store.read(lambda connection: _tenants_in(connection, places))
        self._nudge(lambda device: device.tenant in tenants or (device.tenant, device.user) in users)

    def _row(self, notice: Notice, audience: Audience) -> dict[str, object]:
        if self._signer is None:
            raise RuntimeError("a relay without a desk's key gives no notices")
        signed = Signed.create_with(Purpose.NOTICE, NoticeBody(notice=notice), self._signer.sign)
        return {
            "key": notice.id,
            **audience.columns,
            "issued_at": notice.issued_at,
            "body": signed.body,
            "signature": signed.signature,
        }

    def _disclosure(self, order: NoticeOrder, user: UserAddress, now: int) -> DisclosureNotice:
        window = order.window
        return DisclosureNotice(
            id=f"{order.key}/{user}",
            issued_at=now,
            user=user,
            classes=tuple(name for name in _CLASSES if name in {one.value for one in order.classes}),
            since=None if window is None else _seconds(window.start),
            until=None if window is None else _seconds(window.end),
            disclosed_at=_seconds(order.disclosed_at),
            authority=order.authority_name[:_LINE],
            jurisdiction=order.authorisation.jurisdiction,
            instrument=order.authorisation.instrument,
            legal_reference=order.authorisation.reference[:_LINE],
        )

    # What devices and administrators ask.

    async def ask(self, identity: Identity, request: AskNotices) -> NoticePage:
        """The method `notices`: what `identity` has not been told yet, an administrator always the newest."""
        if isinstance(identity, DeviceIdentity):
            device = identity
            if request.seen:
                await self._store.run(lambda connection: _mark_seen(connection, device, request.seen))
            found = await self._store.read(lambda connection: _unseen(connection, device))
        elif isinstance(identity, AdministratorIdentity):
            tenant = identity.tenant
            found = await self._store.read(lambda connection: _of_tenant(connection, tenant))
        else:
            found = []
        return NoticePage(notices=tuple(found), certificate=self._certificate)


def service_notice(  # noqa: PLR0913 - the fields of the notice
    key: str, *, jurisdiction: str, state: str, effective: int | None, ordered_by: str, now: int
) -> tuple[Notice, Audience]:
    """What everybody in a jurisdiction is told of a change there."""
    notice = ServiceNotice.model_validate(
        {
            "id": f"service/{key}"[:_LINE],
            "issued_at": now,
            "jurisdiction": jurisdiction,
            "state": state,
            "effective": effective,
            "ordered_by": ordered_by[:_LINE],
        }
    )
    return notice, Audience(jurisdiction=jurisdiction)


def _seconds(at: datetime) -> int:
    return max(0, int(at.timestamp()))


def _users(connection: sqlalchemy.Connection, targets: Sequence[Target]) -> dict[UserAddress, int]:
    """The users behind targets, as far as they exist, and how many devices each has ever had."""
    found: dict[UserAddress, int] = {}
    for target in targets:
        query = select(_device.tenant, _device.user).where(_is_target(target))
        for tenant, user in connection.execute(query.distinct()):
            mine = select(sqlalchemy.func.count()).where(_device.tenant == tenant, _device.user == user)
            found[UserAddress(tenant, user)] = int(connection.execute(mine).scalar_one())
    return found


def _is_target(target: Target) -> sqlalchemy.ColumnElement[bool]:
    try:
        match target.format:
            case TargetFormat.USER:
                user = UserAddress.parse(target.value)
                return and_(_device.tenant == user.tenant, _device.user == user.user)
            case TargetFormat.DEVICE:
                device = DeviceAddress.parse(target.value).owner
                return and_(_device.tenant == device.tenant, _device.user == device.user)
            case TargetFormat.TENANT:
                return _device.tenant == target.value
            case TargetFormat.ALL_USERS:
                return sqlalchemy.true()
    except Malformed:
        return sqlalchemy.false()  # nobody has such an address


def _tenants_in(connection: sqlalchemy.Connection, jurisdictions: set[object]) -> set[str]:
    return set(connection.execute(select(_tenant.name).where(_tenant.jurisdiction.in_(jurisdictions))).scalars())


def _is_for(device: DeviceIdentity) -> sqlalchemy.ColumnElement[bool]:
    """Notices about the device's user; and those about its tenant's jurisdiction from the day on that the device came."""
    mine = and_(_notice.tenant == device.address.tenant, _notice.user == device.address.user)
    where = select(_tenant.jurisdiction).where(_tenant.name == device.address.tenant).scalar_subquery()
    came = select(_device.registered_day * _DAY).where(_device.account_id == device.account_id).scalar_subquery()
    return or_(mine, and_(_notice.jurisdiction == where, _notice.issued_at >= came))


def _unseen(connection: sqlalchemy.Connection, device: DeviceIdentity) -> list[Signed]:
    seen = select(_seen.notice_id).where(_seen.account_id == device.account_id)
    query = (
        select(_notice.body, _notice.signature)
        .where(_is_for(device), _notice.id.not_in(seen))
        .order_by(_notice.id)
        .limit(PAGE)
    )
    return [Signed(body=body, signature=signature) for body, signature in connection.execute(query)]


def _mark_seen(connection: sqlalchemy.Connection, device: DeviceIdentity, ids: Sequence[str]) -> None:
    mine = select(sqlalchemy.literal(device.account_id, Number), _notice.id).where(
        _is_for(device), _notice.key.in_(ids)
    )
    statement = insert_or_ignore(connection, tables.notice_seen)
    connection.execute(statement.from_select(["account_id", "notice_id"], mine))


def _of_tenant(connection: sqlalchemy.Connection, tenant: str) -> list[Signed]:
    query = (
        select(_notice.body, _notice.signature)
        .join(tables.tenant, _tenant.jurisdiction == _notice.jurisdiction)
        .where(_tenant.name == tenant, _notice.issued_at >= _tenant.registered_day * _DAY)
        .order_by(_notice.id.desc())
        .limit(PAGE)
    )
    return [Signed(body=body, signature=signature) for body, signature in connection.execute(query)][::-1]
