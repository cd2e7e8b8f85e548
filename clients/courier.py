"""Seals letters into the outbox, adds our profile where it is not known yet, gathers receipts into few envelopes, and
lets copies wait in the posture `sealed`."""

import asyncio
import math
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from blindrelay.clients.contacts import Contacts
from blindrelay.clients.content import MAX_RECEIPTS, Delivered, Letter, Profile, Read
from blindrelay.clients.identity import OwnIdentity
from blindrelay.clients.keystore import KeyStore, Space
from blindrelay.clients.options import Options
from blindrelay.clients.outbox import Outbox
from blindrelay.clients.postroom import Postroom
from blindrelay.clients.records import OutboxEntry
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.clock import Clock

ID_LENGTH: Final = 16
# A timer may fire a moment before its time. Seconds.
_EARLY: Final = 0.01


def new_id() -> bytes:
    """A letter's id: random, so that nobody can guess or collide with it."""
    return secrets.token_bytes(ID_LENGTH)


class Courier:
    """See the module. All of it is synchronous: a cancel cannot come in between."""

    def __init__(
        self,
        store: KeyStore,
        postroom: Postroom,
        identity: OwnIdentity,
        contacts: Contacts,
        outbox: Outbox,
        clock: Clock,
        options: Options,
    ) -> None:
        self._store = store
        self._postroom = postroom
        self._identity = identity
        self._contacts = contacts
        self._outbox = outbox
        self._clock = clock
        self._options = options
        self._introduced = {
            key.partition(":")[2] for key, _ in store.items(Space.SETTING) if key.startswith("profile:")
        }
        self._due: dict[_Debtee, list[_Debt]] = {}
        self._timers: dict[_Debtee, asyncio.Handle] = {}
        self._copies: list[OutboxEntry] = []
        self._copies_timer: asyncio.Handle | None = None

    def milliseconds(self) -> int:
        """Now, as letters have it."""
        return int(self._clock.now() * 1000)

    def expiry(self, seconds: float | None = None) -> int:
        """When a letter that is sealed now expires; epoch seconds."""
        allowed = self._options.time_to_live if seconds is None else min(seconds, self._options.time_to_live)
        return int(self._clock.now() + max(1, allowed))

    def seal(
        self, letter: Letter, devices: Iterable[DeviceAddress], *, expires_at: int, anonymous: bool
    ) -> list[OutboxEntry]:
        """Put `letter` into the store's outbox. Inside a transaction; afterwards call `leave` with the result."""
        to = list(devices)
        entries: list[OutboxEntry] = []
        if self._options.share_profile and (strangers := self._strangers(to)):
            profile = Profile(
                id=new_id(),
                sent_at=self.milliseconds(),
                display_name=self._options.display_name,
                token=self._identity.token.value,
            )
            entries += self._postroom.seal(Letter(profile), strangers, expires_at=self.expiry(), anonymous=anonymous)
            for device in strangers:
                self._store.put(Space.SETTING, f"profile:{device}", b"")
        entries += self._postroom.seal(letter, to, expires_at=expires_at, anonymous=anonymous)
        return entries

    def leave(self, entries: Iterable[OutboxEntry]) -> None:
        """Send what was sealed, after its transaction."""
        self._outbox.add(entries)

    def leave_copies(self, entries: Iterable[OutboxEntry], *, sealed: bool) -> None:
        """Send copies for our own other devices: at once, or in the posture `sealed` after a random while.

        An envelope for all devices of a user but one is from that one: next to an anonymous letter it would sign it. Copies
        that wait are in the store: they leave after the next start, if there is none before; and never after later ones.
        """
        self._copies += entries
        if not sealed:
            self._leave_copies()
        elif self._copies and self._copies_timer is None:
            hygiene = self._options.hygiene
            self._copies_timer = asyncio.get_running_loop().call_later(
                hygiene.draw(hygiene.receipt), self._leave_copies
            )

    def _leave_copies(self) -> None:
        copies, self._copies = self._copies, []
        if self._copies_timer is not None:
            self._copies_timer.cancel()
            self._copies_timer = None
        self.leave(copies)

    def stop(self) -> None:
        """Let nothing leave later. Copies that wait are in the store."""
        for timer in (self._copies_timer, *self._timers.values()):
            if timer is not None:
                timer.cancel()
        self._copies_timer, self._copies = None, []
        self._timers.clear()

    def _strangers(self, devices: list[DeviceAddress]) -> list[DeviceAddress]:
        own = self._identity.address.owner
        strangers = [device for device in devices if str(device) not in self._introduced and device.owner != own]
        self._introduced.update(map(str, strangers))
        return strangers

    # --- receipts

    def delivered(self, sender: DeviceAddress, letters: list[bytes]) -> list[OutboxEntry]:
        """Seal "delivered" for letters from `sender`, in the transaction that stores them."""
        receipt = Delivered(id=new_id(), sent_at=self.milliseconds(), letters=letters)
        return self.seal(Letter(receipt), [sender], expires_at=self.expiry(), anonymous=False)

    def owe(self, kind: type[Delivered] | type[Read], sender: DeviceAddress, letter: bytes, *, sealed: bool) -> None:
        """Tell `sender` about `letter`: soon, together with others, or in the posture `sealed` after a random while.

        Each sender has a while of their own: what leaves for several people at one moment ties them together.
        """
        if sealed and self._contacts.token(sender.owner) is None:
            return  # rather no receipt than one that says who got the letter
        key = _Debtee(kind, sender, sealed)
        now = asyncio.get_running_loop().time()
        self._due.setdefault(key, []).append(_Debt(letter, now))
        if key not in self._timers:
            self._wait(key)

    def settle_debts(self, sealed: bool) -> None:
        """Send the receipts that are owed in one posture, now."""
        self._settle([key for key in self._due if key.sealed is sealed], before=math.inf)

    def _wait(self, key: "_Debtee") -> None:
        loop, hygiene = asyncio.get_running_loop(), self._options.hygiene
        self._timers[key] = (
            loop.call_later(hygiene.draw(hygiene.receipt), self._settle_ripe, key)
            if key.sealed
            else loop.call_soon(self.settle_debts, False)
        )

    def _settle_ripe(self, key: "_Debtee") -> None:
        """Send what has waited for long enough; what has come meanwhile waits for the next time."""
        least = self._options.hygiene.receipt[0]
        self._settle([key], before=asyncio.get_running_loop().time() - least + _EARLY)
        if key in self._due:
            self._wait(key)

    def _settle(self, keys: list["_Debtee"], *, before: float) -> None:
        """Send receipts for what is owed since `before` or longer."""
        entries: list[OutboxEntry] = []
        with self._store.transaction():
            for key in keys:
                if (timer := self._timers.pop(key, None)) is not None:
                    timer.cancel()
                debts = self._due.pop(key)
                letters = [debt.letter for debt in debts if debt.since <= before]
                if young := [debt for debt in debts if debt.since > before]:
                    self._due[key] = young
                for start in range(0, len(letters), MAX_RECEIPTS):
                    receipt = key.kind(
                        id=new_id(), sent_at=self.milliseconds(), letters=letters[start : start + MAX_RECEIPTS]
                    )
                    entries += self.seal(Letter(receipt), [key.sender], expires_at=self.expiry(), anonymous=key.sealed)
        self.leave(entries)


@dataclass(frozen=True, slots=True)
class _Debtee:
    """Who is owed receipts of a kind, in a posture."""

    kind: type[Delivered] | type[Read]
    sender: DeviceAddress
    sealed: bool


@dataclass(frozen=True, slots=True)
class _Debt:
    """A receipt for `letter` is owed, since that time of the loop."""

    letter: bytes
    since: float
