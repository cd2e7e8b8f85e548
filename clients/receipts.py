"""What became of a letter: accepted by the relay, delivered to a device, read by a person. Each can be awaited."""

import asyncio
from collections.abc import Iterable, Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Self
from weakref import WeakValueDictionary

from blindrelay.clients.errors import ClientError, TimedOut
from blindrelay.protocol.address import DeviceAddress, UserAddress


class Stage(IntEnum):
    """How far a letter has come on one device; it never goes back."""

    REFUSED = -1
    WAITING = 0
    ACCEPTED = 1
    DELIVERED = 2
    READ = 3


class Receipt:
    """Follows one letter.

    A person has it as soon as one of their devices has it; a letter to several people is as far as the slowest of them.

    Attributes:
        id: the letter's, for `Device.retract` and `Device.receipt`.
        envelopes: by the id under which the relay has each envelope of it, for which device that is; for whoever compares what
            was written with what a relay keeps. Empty for a letter of an earlier run.
    """

    def __init__(self, content_id: bytes, devices: Mapping[DeviceAddress, Stage], parts: int = 1) -> None:
        self.id = content_id
        self.envelopes: dict[bytes, DeviceAddress] = {}
        self._stages = dict(devices)
        self._parts = dict.fromkeys(devices, parts)
        self._errors: dict[DeviceAddress, ClientError] = {}
        self._changed = asyncio.Event()

    @property
    def devices(self) -> Mapping[DeviceAddress, Stage]:
        """How far the letter has come on each device that it was sent to."""
        return MappingProxyType(self._stages)

    @property
    def users(self) -> dict[UserAddress, Stage]:
        """How far it has come with each person: the furthest of their devices."""
        furthest: dict[UserAddress, Stage] = {}
        for device, stage in self._stages.items():
            furthest[device.owner] = max(stage, furthest.get(device.owner, Stage.REFUSED))
        return furthest

    @property
    def stage(self) -> Stage:
        """How far it has come with everybody."""
        return min(self.users.values())

    async def accepted(self, timeout: float | None = None) -> Self:
        """Wait until the relay has it on stable storage for everybody.

        Cancelling is safe, here and below: the letter goes on, and waiting again finds the same receipt.

        Raises:
            DeliveryRefused, Expired: the relay does not take it for somebody, or its time was over before it could.
            TimedOut: not within `timeout` seconds.
        """
        return await self._reached(Stage.ACCEPTED, timeout)

    async def delivered(self, timeout: float | None = None) -> Self:
        """Wait until a device of everybody has stored it. See `accepted`."""
        return await self._reached(Stage.DELIVERED, timeout)

    async def read(self, timeout: float | None = None) -> Self:
        """Wait until everybody has read it. Those who do not tell are waited for in vain. See `accepted`."""
        return await self._reached(Stage.READ, timeout)

    async def _reached(self, stage: Stage, timeout: float | None) -> Self:
        try:
            async with asyncio.timeout(timeout):
                while (users := self.users) and min(users.values()) < stage:
                    for user, reached in users.items():
                        if reached is Stage.REFUSED:
                            raise self._error_of(user)
                    await self._changed.wait()
        except TimeoutError as error:
            now = self.stage.name.lower()
            raise TimedOut(f"the message was not {stage.name.lower()} within {timeout:g} s; it is {now}") from error
        return self

    def _error_of(self, user: UserAddress) -> ClientError:
        return next(error for device, error in self._errors.items() if device.owner == user)

    def reach(self, device: DeviceAddress, stage: Stage) -> bool:
        """Note that `device` is at `stage`; return whether that is news. Unknown devices of a recipient count, too: a
        device that was enrolled since may have got the letter from another one."""
        if self._stages.get(device, Stage.REFUSED) >= stage:
            return False
        self._stages[device] = stage
        self._wake()
        return True

    def part_accepted(self, device: DeviceAddress) -> bool:
        """One envelope of the letter has its PUBACK; return whether it was the last one for `device`."""
        left = self._parts[device] = self._parts.get(device, 1) - 1
        return left <= 0 and self.reach(device, Stage.ACCEPTED)

    def refuse(self, device: DeviceAddress, error: ClientError) -> None:
        """The relay does not take the letter for `device`."""
        self._errors[device] = error
        if self._stages.get(device, Stage.WAITING) is Stage.WAITING:
            self._stages[device] = Stage.REFUSED
            self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class Receipts:
    """The receipts that somebody still holds."""

    def __init__(self) -> None:
        self._live: WeakValueDictionary[bytes, Receipt] = WeakValueDictionary()

    def open(self, content_id: bytes, devices: Iterable[DeviceAddress], parts: int) -> Receipt:
        """A new receipt for a letter that goes to `devices` in `parts` envelopes each."""
        receipt = Receipt(content_id, dict.fromkeys(devices, Stage.WAITING), parts)
        self._live[content_id] = receipt
        return receipt

    def add(self, receipt: Receipt) -> Receipt:
        """Follow a receipt that was made from the history."""
        return self._live.setdefault(receipt.id, receipt)

    def find(self, content_id: bytes) -> Receipt | None:
        """The receipt of a letter, if somebody holds it."""
        return self._live.get(content_id)
