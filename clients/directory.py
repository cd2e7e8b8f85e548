"""Whom to seal for: the directory's current word on a user, verified, and a session with each of their devices."""

import asyncio
from collections.abc import Iterable
from typing import Final, Protocol

from blindrelay.clients.connection import Connection
from blindrelay.clients.contacts import Contact, Contacts
from blindrelay.clients.errors import IdentityRejected, UnknownRecipient
from blindrelay.clients.heads import Heads
from blindrelay.clients.postroom import Postroom
from blindrelay.clients.rpc import Caller
from blindrelay.protocol.address import DeviceAddress, UserAddress
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.rpc import (
    CLAIM_PREKEYS,
    LOOK_UP_TENANT,
    LOOK_UP_USER,
    MAX_DEVICES_PER_USER,
    ClaimPrekeys,
    ErrorCode,
    LookUpTenant,
    LookUpUser,
    UserEntry,
)
from blindrelay.protocol.statements import DeviceStatement
from blindrelay.protocol.transparency.checkpoint import Checkpoint
from blindrelay.protocol.transparency.directory import device_stated, tenant_entered

# How long a user's list of devices is taken for current. A device that was enrolled gets what is written after that time,
# a revoked one is refused by the relay at once. Seconds.
MAX_AGE: Final = 60.0
# Look-ups under way at the same time: a letter to a company of a thousand people must not fill the connection.
AT_ONCE: Final = 16


class Directory:
    """See the module.

    Args:
        max_age: seconds; see `MAX_AGE`.
    """

    def __init__(
        self, contacts: Contacts, heads: Heads, postroom: Postroom, clock: Clock, *, max_age: float = MAX_AGE
    ) -> None:
        self._contacts = contacts
        self._heads = heads
        self._postroom = postroom
        self._clock = clock
        self._max_age = max_age
        self._looked_up: dict[UserAddress, float] = {}
        self._locks: dict[UserAddress, asyncio.Lock] = {}

    def is_current(self, user: UserAddress) -> bool:
        """Whether the list of `user`'s devices need not be asked for."""
        since = self._looked_up.get(user)
        return since is not None and self._clock.monotonic() - since < self._max_age

    def has_heard_of(self, user: UserAddress) -> bool:
        """Whether devices of `user` are known, however old that is."""
        return self._contacts.contact(user) is not None

    def forget(self, user: UserAddress) -> None:
        """Look `user` up again before the next letter: the relay has refused one of their devices, or a new one wrote."""
        self._looked_up.pop(user, None)

    async def look_up(self, user: UserAddress, caller: Caller) -> Contact:
        """Ask the directory about `user` and verify what it says.

        Raises:
            UnknownRecipient: it does not know them, or they have no device yet.
            IdentityRejected: one of the devices it lists is not theirs; `check` says why.
            HistoryRejected: the entry is not in the relay's public log, or that does not hold.
        """
        seen = await self._seen(caller)
        entry = await caller.call(LOOK_UP_USER, LookUpUser(user=user, seen=seen.size if seen else 0))
        if entry.user != user:
            raise IdentityRejected(str(user), "directory", f"asked about {user}, the relay answers about {entry.user}")
        return self._accept(user, entry, seen)

    async def _seen(self, caller: Caller) -> Checkpoint | None:
        """The checkpoint to have continued, once all that was heard has been compared with it. An anonymous connection is not
        to be known by what it has seen."""
        self._heads.check()
        if not isinstance(caller, Connection):
            return None
        await self._heads.reconcile(caller)
        return self._heads.checkpoint

    def _accept(self, user: UserAddress, entry: UserEntry, seen: Checkpoint | None) -> Contact:
        if not entry.devices:
            raise UnknownRecipient(
                ErrorCode.UNKNOWN_USER.value,
                f"{user} has no device that can be written to: theirs must connect once before",
            )
        with self._heads.transaction():
            contact = self._contacts.accept(entry)
            if contact.rejected:
                # One device that is not theirs is one reader too many. It is not for us to guess what the relay is up to, and
                # nothing of the entry is kept: its other devices have not been looked for in the log.
                raise contact.rejected[0]
            self._check_logged(entry, self._heads.accept(entry.head, seen))
        self._looked_up[user] = self._clock.monotonic()
        return contact

    def _check_logged(self, entry: UserEntry, checkpoint: Checkpoint) -> None:
        self._heads.check_included(tenant_entered(entry.user.tenant, entry.root), entry.root_included, checkpoint)
        for item in entry.devices:
            statement = DeviceStatement.model_validate_json(item.statement.body)  # verified by the contacts before
            stated = device_stated(entry.root, item.certificate, statement, item.statement)
            self._heads.check_included(stated, item.included, checkpoint)

    async def pin_root(self, tenant: str, caller: Caller) -> None:
        """Learn the root of a tenant from which a first message came. Raises as `Connection.call` and `look_up`."""
        seen = await self._seen(caller)
        entry = await caller.call(LOOK_UP_TENANT, LookUpTenant(tenant=tenant, seen=seen.size if seen else 0))
        with self._heads.transaction():
            self._contacts.pin_root(tenant, entry.root)
            checkpoint = self._heads.accept(entry.head, seen)
            self._heads.check_included(tenant_entered(tenant, entry.root), entry.included, checkpoint)

    def known(self, user: UserAddress, *, but: DeviceAddress | None = None) -> list[DeviceAddress] | None:
        """The devices of `user`, if nothing need be asked for; None otherwise."""
        if not self.is_current(user):
            return None
        contact = self._contacts.contact(user)
        if contact is None:
            return None
        devices = [device.address for device in contact.devices if device.listed and device.address != but]
        return None if self._postroom.sessions_needed(devices) else devices

    async def prepare(
        self, user: UserAddress, caller: Caller, *, but: DeviceAddress | None = None
    ) -> list[DeviceAddress]:
        """The devices of `user` (but one), each with a session: look up and claim what is missing.

        Raises:
            UnknownRecipient, IdentityRejected: see `look_up`. Nothing was sent.
        """
        lock = self._locks.setdefault(user, asyncio.Lock())
        async with lock:
            contact = self._contacts.contact(user) if self.is_current(user) else None
            if contact is None:
                contact = await self.look_up(user, caller)
            devices = [device.address for device in contact.devices if device.listed and device.address != but]
            missing = self._postroom.sessions_needed(devices)
            if missing:
                without = await self._claim(missing, caller)
                devices = [device for device in devices if device not in without]
        if not devices and but is None:
            raise UnknownRecipient(
                ErrorCode.UNKNOWN_USER.value, f"{user} cannot be written to: none of their devices has left a prekey"
            )
        return devices

    async def prepare_own(self, own: DeviceAddress, caller: Caller) -> list[DeviceAddress]:
        """Our own other devices, as they were last heard of: for a letter whose sender nobody is to know.

        Whoever asks about a user in the moment in which an anonymous letter leaves is the one who writes it. So `Upkeep` asks
        now and then, and here it is done only if a device was never heard of. Raises as `prepare`.
        """
        contact = self._contacts.contact(own.owner)
        if contact is not None:
            devices = [device.address for device in contact.devices if device.listed and device.address != own]
            if not self._postroom.sessions_needed(devices):
                return devices
        return await self.prepare(own.owner, caller, but=own)

    async def prepare_all(
        self, users: Iterable[UserAddress], caller_for: "CallerFor", *, own: DeviceAddress
    ) -> dict[UserAddress, list[DeviceAddress]]:
        """`prepare` for many, some at a time; `own` is never among the devices.

        Raises as `prepare`; also for those whose devices need not be asked for, when the log's history is in doubt by now.
        """
        ready: dict[UserAddress, list[DeviceAddress]] = {}
        waiting: list[UserAddress] = []
        for user in users:
            devices = self.known(user, but=own)
            if devices is None or (not devices and user != own.owner):
                waiting.append(user)
            else:
                ready[user] = devices
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(user: UserAddress) -> None:
            async with gate:
                but = own if user == own.owner else None
                ready[user] = await self.prepare(user, caller_for(user), but=but)

        if len(waiting) == 1:
            await one(waiting[0])
        elif waiting:
            tasks = [asyncio.ensure_future(one(user)) for user in waiting]
            try:
                await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
        self._heads.check()
        return ready

    async def _claim(self, missing: list[DeviceAddress], caller: Caller) -> set[DeviceAddress]:
        without = set(missing)
        for start in range(0, len(missing), MAX_DEVICES_PER_USER):
            wanted = missing[start : start + MAX_DEVICES_PER_USER]
            claimed = await caller.call(CLAIM_PREKEYS, ClaimPrekeys(devices=wanted))
            for device in wanted:
                prekey = claimed.prekeys.get(str(device))
                if prekey is not None:
                    self._postroom.start_session(device, prekey)
                    without.discard(device)
        return without


class CallerFor(Protocol):
    """Which connection to ask by about whom."""

    def __call__(self, user: UserAddress) -> Caller:
        """The device's own, or the anonymous one for `user`."""
