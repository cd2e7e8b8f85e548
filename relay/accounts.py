"""Tenants, devices, revocations: in memory for every question of the message path, in the store for every restart.

Memory holds what is decided with (roots, fingerprints, token verifiers, mailboxes); certificates and statements stay in the
store and are read when somebody looks them up. Memory changes first where that takes something away from somebody
(a revocation), the store first where it gives something.
"""

from collections import deque
from collections.abc import Callable, Collection, Hashable, Iterable, Set
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

import sqlalchemy
from cryptography import x509
from pydantic import ValidationError

from blindrelay.protocol import topics
from blindrelay.protocol.address import DeviceAddress, UserAddress
from blindrelay.protocol.certificates import check_root, load
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.errors import Malformed, VerificationFailed
from blindrelay.protocol.rpc import MAX_DEVICES_PER_USER
from blindrelay.protocol.statements import DeviceStatement, Revocation, RevocationReason
from blindrelay.relay.errors import Unreadable
from blindrelay.relay.identity import AdministratorIdentity, DeviceIdentity, Registrar, SealedSender
from blindrelay.relay.mailbox import Mailbox, Quota, set_closed, waiting_envelopes
from blindrelay.relay.store import tables
from blindrelay.relay.suspension import Suspensions

_DAY: Final = 86_400
#: As the sequence `account_block` of the schema counts.
NUMBERS_AT_ONCE: Final = 1_000

_Row = sqlalchemy.Row[Any]
Rows = tuple[list[_Row], list[_Row], list[_Row], list[tuple[int, int, int, int]], list[str]]


_DEPARTED: Final = sqlalchemy.select(tables.departed.c.name)
# What is kept of a tenant that has left, under a preservation order, admits nobody and is written to by nobody.
_TENANTS: Final = sqlalchemy.select(tables.tenant.c.name, tables.tenant.c.root, tables.tenant.c.jurisdiction).where(
    tables.tenant.c.name.not_in(_DEPARTED)
)
_DEVICES: Final = sqlalchemy.select(
    tables.device.c.account_id,
    tables.device.c.tenant,
    tables.device.c.user,
    tables.device.c.device,
    tables.device.c.certificate,
    tables.device.c.statement,
).where(tables.device.c.tenant.not_in(_DEPARTED))
_REVOCATIONS: Final = sqlalchemy.select(tables.revocation.c.fingerprint, tables.revocation.c.body)


@dataclass(frozen=True, slots=True)
class Some:
    """Rows of some tenants, devices and revocations, and which tenants have left."""

    tenants: list[sqlalchemy.Row]  # type: ignore[type-arg]
    devices: list[sqlalchemy.Row]  # type: ignore[type-arg]
    revocations: list[sqlalchemy.Row]  # type: ignore[type-arg]
    departed: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Tenant:
    """A registered tenant, its root, and in which jurisdiction it says that it is (None: it has not said)."""

    name: str
    root: x509.Certificate
    der: bytes = field(repr=False)
    jurisdiction: str | None = None


@dataclass(slots=True, eq=False)
class Device:
    """A device that has been here.

    Attributes:
        fingerprint: of the certificate on record: the one that the statement is signed with, once there is a statement.
        sequence: of the statement; 0 while there is none.
        verifier: of the user's delivery token, as the statement says; None while there is none.
    """

    account_id: int
    address: DeviceAddress
    fingerprint: bytes
    sequence: int = 0
    verifier: bytes | None = None


class TooManyDevices(Exception):
    """The user or tenant has as many devices as it may have."""


class OutOfNumbers(Exception):
    """There is no account id for a new device just now; there will be, in a moment."""


class AccountNumbers:
    """Account ids for new devices, none of which is ever given twice, here or by another node."""

    def __init__(self) -> None:
        self._blocks: deque[range] = deque()
        self.left = 0

    def add(self, block: range) -> None:
        """These are ours."""
        self._blocks.append(block)
        self.left += len(block)

    def take(self) -> int:
        """The next one. Raises `OutOfNumbers`."""
        if not self._blocks:
            raise OutOfNumbers("the relay cannot enrol new devices just now: try again")
        block = self._blocks.popleft()
        if len(block) > 1:
            self._blocks.appendleft(block[1:])
        self.left -= 1
        return block[0]


def reserve_numbers(connection: sqlalchemy.Connection) -> range:
    """Take a block of account ids out of the store: with PostgreSQL `NUMBERS_AT_ONCE`, with SQLite all that are left."""
    if connection.dialect.name == "postgresql":
        first = connection.exec_driver_sql("SELECT nextval('account_block')").scalar_one()
        return range(first, first + NUMBERS_AT_ONCE)
    highest = connection.exec_driver_sql("SELECT seq FROM sqlite_sequence WHERE name = 'device'").scalar()
    return range(int(highest or 0) + 1, 2**53)


class Accounts:
    """Everybody the relay knows.

    Attributes:
        recipients: topic `v1/to/...` -> mailbox, for every device that may be written to.
        suspensions: whose devices are shut out.
        departed: the tenants that have left. It is looked at and not to be changed.
        numbers: account ids for new devices.

    `quota` is that of each mailbox; None: the store's business.
    """

    def __init__(self, clock: Clock, quota: Quota | None, *, devices_per_tenant: int) -> None:
        self.recipients: dict[str, Mailbox] = {}
        self.suspensions = Suspensions()
        self._clock = clock
        self._quota = quota
        self._devices_per_tenant = devices_per_tenant
        self._tenants: dict[str, Tenant] = {}
        self._devices: dict[DeviceAddress, Device] = {}
        self._users: dict[UserAddress, list[Device]] = {}
        self._tenant_sizes: dict[str, int] = {}
        self._mailboxes: dict[int, Mailbox] = {}
        self._revoked: dict[bytes, RevocationReason] = {}
        self._departed: set[str] = set()
        self.departed: Set[str] = self._departed
        self._leaving: dict[str, bytes] = {}  # tenant -> SHA-256 of the certificate of who waits for the answer
        self.numbers = AccountNumbers()

    # Start.

    @staticmethod
    def read(connection: sqlalchemy.Connection) -> Rows:
        """Everything that `restore` needs, from the store."""
        return (
            list(connection.execute(_TENANTS)),
            list(connection.execute(_DEVICES)),
            list(connection.execute(_REVOCATIONS)),
            waiting_envelopes(connection),
            list(connection.execute(_DEPARTED).scalars()),
        )

    def restore(self, rows: Rows) -> None:
        """Take over what `read` found.

        Raises:
            Unreadable: a record is damaged. Nobody is let in on half of the truth.
        """
        tenants, devices, revocations, waiting, departed = rows
        self._departed.update(departed)
        try:
            for row in tenants:
                self.add_tenant(checked_tenant(row.name, row.root, row.jurisdiction))
            for row in revocations:
                self._revoked[row.fingerprint] = Revocation.model_validate_json(row.body).reason
            for row in devices:
                self._restore_device(row)
        except (Malformed, VerificationFailed, ValidationError) as error:
            raise Unreadable(
                f"the database holds a damaged record of a tenant, device or revocation ({type(error).__name__}): "
                "nobody is admitted on it; restore the data directory from a backup"
            ) from error
        for account_id, count, size, last in waiting:
            if mailbox := self._mailboxes.get(account_id):
                mailbox.restore(count, size, last)

    # What other nodes have written down.

    @staticmethod
    def read_some(
        connection: sqlalchemy.Connection,
        *,
        tenants: Collection[str] = (),
        devices: Collection[int] = (),
        revocations: Collection[bytes] = (),
        departed: Collection[str] = (),
    ) -> Some:
        """The rows of these, from the store."""
        return Some(
            list(connection.execute(_TENANTS.where(tables.tenant.c.name.in_(tenants)))) if tenants else [],
            list(connection.execute(_DEVICES.where(tables.device.c.account_id.in_(devices)))) if devices else [],
            list(connection.execute(_REVOCATIONS.where(tables.revocation.c.fingerprint.in_(revocations))))
            if revocations
            else [],
            list(departed),
        )

    @staticmethod
    def read_all(connection: sqlalchemy.Connection) -> Some:
        """The rows of all of them."""
        return Some(
            list(connection.execute(_TENANTS)),
            list(connection.execute(_DEVICES)),
            list(connection.execute(_REVOCATIONS)),
            list(connection.execute(_DEPARTED).scalars()),
        )

    def refresh(self, some: Some) -> list[Tenant]:
        """Take over what `read_some` found; returns the tenants that are new. Raises what a damaged record raises.

        Whoever does not stand any more has to be sent away afterwards.
        """
        new = []
        for name in some.departed:
            for device in self.depart(name):
                self.drop_mailbox(device.account_id)
        for row in some.tenants:
            if row.name in self._departed:  # read before it left, and taken in after
                continue
            tenant = checked_tenant(row.name, row.root, row.jurisdiction)
            if row.name not in self._tenants:
                new.append(tenant)
            self.add_tenant(tenant)
        for row in some.revocations:
            self.revoke(Revocation.model_validate_json(row.body))
        for row in some.devices:
            self._refresh_device(row)
        return new

    def _refresh_device(self, row: sqlalchemy.Row) -> None:  # type: ignore[type-arg]
        if row.tenant in self._departed:
            return
        device = self._devices.get(DeviceAddress(row.tenant, row.user, row.device))
        if (
            device is not None and device.account_id != row.account_id
        ):  # enrolled here, too, and that was not written down
            self.forget(device.account_id)
            device = None
        if device is None:
            self._restore_device(row)
            return
        device.fingerprint = sha256(row.certificate).digest()
        device.sequence, device.verifier = 0, None
        if row.statement is not None and device.fingerprint not in self._revoked:
            statement = DeviceStatement.model_validate_json(row.statement)
            device.sequence, device.verifier = statement.sequence, statement.token_verifier
        if self.may_be_written_to(device):
            self.recipients[topics.to(device.address)] = self._mailboxes[device.account_id]
        else:
            self.recipients.pop(topics.to(device.address), None)

    def _restore_device(self, row: sqlalchemy.Row) -> None:  # type: ignore[type-arg]
        address = DeviceAddress(row.tenant, row.user, row.device)
        device = Device(row.account_id, address, sha256(row.certificate).digest())
        if row.statement is not None:
            statement = DeviceStatement.model_validate_json(row.statement)
            device.sequence, device.verifier = statement.sequence, statement.token_verifier
        self._insert(device)

    def _insert(self, device: Device) -> None:
        address = device.address
        self._devices[address] = device
        self._users.setdefault(address.owner, []).append(device)
        self._tenant_sizes[address.tenant] = self._tenant_sizes.get(address.tenant, 0) + 1
        mailbox = Mailbox(device.account_id, topics.inbox(address), self._quota)
        self._mailboxes[device.account_id] = mailbox
        if self.may_be_written_to(device):
            self.recipients[topics.to(address)] = mailbox

    # Questions.

    def tenant(self, name: str) -> Tenant | None:
        """A registered tenant."""
        return self._tenants.get(name)

    def tenants(self) -> Iterable[Tenant]:
        """All registered tenants."""
        return self._tenants.values()

    def device(self, address: DeviceAddress) -> Device | None:
        """A device that has been here, revoked or not."""
        return self._devices.get(address)

    def devices_of(self, user: UserAddress) -> list[Device]:
        """The user's devices that may be written to and have said what their keys are."""
        return [device for device in self._users.get(user, ()) if device.sequence and self.may_be_written_to(device)]

    def verifiers(self, user: UserAddress) -> list[bytes]:
        """What the user's devices say the delivery token's verifier is: more than one while it is being replaced."""
        return list({device.verifier for device in self.devices_of(user) if device.verifier is not None})

    def mailbox(self, account_id: int) -> Mailbox | None:
        """The mailbox of a device; None when there is no such device."""
        return self._mailboxes.get(account_id)

    def waiting(self) -> tuple[int, int] | None:
        """How many envelopes wait for all devices together, and the bytes of their payloads. It looks at every device.

        None where other nodes fill and empty mailboxes, too: then the store knows, and nobody here.
        """
        if self._quota is None:
            return None
        boxes = self._mailboxes.values()
        return sum(box.waiting for box in boxes), sum(box.waiting_bytes for box in boxes)

    @property
    def size(self) -> tuple[int, int]:
        """How many tenants and devices there are."""
        return len(self._tenants), len(self._mailboxes)

    def is_revoked(self, fingerprint: bytes) -> bool:
        """Whether the certificate with this SHA-256 has been withdrawn."""
        return fingerprint in self._revoked

    def may_be_written_to(self, device: Device) -> bool:
        """Whether mail is taken for it. A superseded certificate has a successor, so the mail waits for that."""
        return self._revoked.get(device.fingerprint, RevocationReason.SUPERSEDED) is RevocationReason.SUPERSEDED

    def stands(self, identity: Hashable) -> bool:
        """Whether the identity is still good: not revoked, not expired, not suspended, its token not replaced."""
        match identity:
            case DeviceIdentity():
                return (
                    self._is_valid(identity)
                    and identity.tenant not in self.suspensions.closed
                    and identity.tenant not in self._departed
                )
            case AdministratorIdentity():
                return self._is_valid(identity) and (
                    identity.tenant not in self._departed or self._leaving.get(identity.tenant) == identity.fingerprint
                )
            case SealedSender():
                return identity.verifier in self.verifiers(identity.recipient)
            case Registrar():
                return True
            case _:
                return False

    def _is_valid(self, identity: DeviceIdentity | AdministratorIdentity) -> bool:
        return identity.fingerprint not in self._revoked and identity.expires_at > self._clock.now()

    def shut_out(self, identity: Hashable) -> str | None:
        """Why this identity does not stand though nothing is wrong with it: a sentence about its tenant's jurisdiction."""
        return self.suspensions.reason(identity.tenant) if isinstance(identity, DeviceIdentity) else None

    # Changes: memory alone. What makes them durable is `write_...` and belongs into the same step of the event loop.

    def add_tenant(self, tenant: Tenant) -> None:
        """A tenant is registered, or is in another jurisdiction from now on."""
        self._tenants[tenant.name] = tenant
        self.suspensions.place(tenant.name, tenant.jurisdiction)

    def depart(self, name: str, asked_by: AdministratorIdentity | None = None) -> list[Device]:
        """A tenant leaves, at once: nobody stands for it any more, and its devices are nobody. Returns those.

        `asked_by` stands until `answered`, so that it hears what became of what it has asked for.
        """
        self._departed.add(name)
        if asked_by is not None:
            self._leaving[name] = asked_by.fingerprint
        if self._tenants.pop(name, None) is not None:
            self.suspensions.place(name, None)
        gone = [device for device in self._devices.values() if device.address.tenant == name]
        for device in gone:
            del self._devices[device.address]
            self._users.pop(device.address.owner, None)
            self.recipients.pop(topics.to(device.address), None)
            self._mailboxes[device.account_id].close()
        self._tenant_sizes.pop(name, None)
        return gone

    def answered(self, name: str) -> None:
        """Whoever has asked for the tenant to leave is told."""
        self._leaving.pop(name, None)

    def drop_mailbox(self, account_id: int) -> "Mailbox | None":
        """The device is gone, and all of its mail."""
        return self._mailboxes.pop(account_id, None)

    def welcome(self, address: DeviceAddress, certificate: bytes, fingerprint: bytes) -> tuple[Device, "Write | None"]:
        """A device has shown a valid certificate: its account, and what has to be written when that is news.

        Raises `TooManyDevices`, `OutOfNumbers`.
        """
        device = self._devices.get(address)
        if device is None:
            self._check_room(address)
            device = Device(self.numbers.take(), address, fingerprint)
            self._insert(device)
            return device, _insert_device(device, certificate, int(self._clock.now()))
        if device.fingerprint != fingerprint and (not device.sequence or device.fingerprint in self._revoked):
            # A new certificate for what had none that counts. While a statement stands, its certificate stays with it.
            if device.fingerprint in self._revoked:
                device.sequence, device.verifier = 0, None
            device.fingerprint = fingerprint
            self.recipients[topics.to(address)] = self._mailboxes[device.account_id]
            return device, _update_certificate(device.account_id, certificate)
        return device, None

    def forget(self, account_id: int) -> None:
        """A new device could not be written down: it never was here."""
        mailbox = self._mailboxes.pop(account_id, None)
        device = next((device for device in self._devices.values() if device.account_id == account_id), None)
        if mailbox is None or device is None:
            return
        del self._devices[device.address]
        self._users[device.address.owner].remove(device)
        self._tenant_sizes[device.address.tenant] -= 1
        self.recipients.pop(topics.to(device.address), None)

    def _check_room(self, address: DeviceAddress) -> None:
        live = [device for device in self._users.get(address.owner, ()) if device.fingerprint not in self._revoked]
        if len(live) >= MAX_DEVICES_PER_USER:
            raise TooManyDevices(f"{MAX_DEVICES_PER_USER} devices of this user are enrolled: revoke one first")
        if self._tenant_sizes.get(address.tenant, 0) >= self._devices_per_tenant:
            raise TooManyDevices(f"the tenant has {self._devices_per_tenant} devices, which is as many as it may have")

    def published(self, device: Device, fingerprint: bytes, statement: DeviceStatement) -> None:
        """The device's new statement is durable; it is signed with the certificate of this fingerprint."""
        device.fingerprint = fingerprint
        device.sequence, device.verifier = statement.sequence, statement.token_verifier
        self.recipients[topics.to(device.address)] = self._mailboxes[device.account_id]

    def revoke(self, revocation: Revocation) -> Device | None:
        """Withdraw a certificate, at once. Returns the device if its mail is to be deleted and not kept for a successor."""
        self._revoked[revocation.certificate] = revocation.reason
        device = self._devices.get(revocation.device)
        if device is None or device.fingerprint != revocation.certificate:
            return None
        device.sequence, device.verifier = 0, None
        if self.may_be_written_to(device):
            return None
        self.recipients.pop(topics.to(device.address), None)
        return device


#: What is to be done inside the next commit.
Write = Callable[[sqlalchemy.Connection], None]


def checked_tenant(name: str, der: bytes, jurisdiction: str | None = None) -> Tenant:
    """A tenant whose root is fit to be its CA; raise `Malformed` or `VerificationFailed`."""
    root = load(der)
    check_root(root, name)
    return Tenant(name, root, der, jurisdiction)


def _insert_device(device: Device, certificate: bytes, now: int) -> Write:
    address = device.address
    statement = sqlalchemy.insert(tables.device).values(
        account_id=device.account_id,
        tenant=address.tenant,
        user=address.user,
        device=address.device,
        certificate=certificate,
        registered_day=now // _DAY,
    )

    def write(connection: sqlalchemy.Connection) -> None:
        connection.execute(statement)

    return write


def _update_certificate(account_id: int, certificate: bytes) -> Write:
    """A new certificate counts; nothing that was signed with the old one does."""
    update = (
        sqlalchemy.update(tables.device)
        .where(tables.device.c.account_id == account_id)
        .values(
            certificate=certificate, statement=None, statement_signature=None, statement_sequence=None, log_index=None
        )
    )
    delete = sqlalchemy.delete(tables.prekey).where(tables.prekey.c.account_id == account_id)

    def write(connection: sqlalchemy.Connection) -> None:
        connection.execute(update)
        connection.execute(delete)
        set_closed(connection, account_id, closed=False)

    return write
