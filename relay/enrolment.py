"""What becomes of a device that comes for the first time: it is written down, or it is sent away and comes back later."""

import asyncio
from collections.abc import Callable

from blindrelay.relay.accounts import NUMBERS_AT_ONCE, Accounts, Write, reserve_numbers
from blindrelay.relay.identity import DeviceIdentity
from blindrelay.relay.store.committer import Committer


class Enrolment:
    """Writes down new devices.

    Args:
        accounts: who is known.
        committer: the store's front.
        enrolled: is told of every new device, or of its new certificate, by account.
        send_away: ends the connection of a device that could not be written down.
    """

    def __init__(
        self,
        accounts: Accounts,
        committer: Committer,
        *,
        enrolled: Callable[[int], None],
        send_away: Callable[[DeviceIdentity], None],
    ) -> None:
        self._accounts = accounts
        self._committer = committer
        self._enrolled = enrolled
        self._send_away = send_away

    async def reserve_numbers(self) -> None:
        """Have account ids to give: before anybody comes. Raises what the store raises."""
        self._accounts.numbers.add(await self._committer.run(reserve_numbers))

    def record(self, identity: DeviceIdentity, write: Write) -> None:
        """Write down a new device in the next commit."""
        self._enrolled(identity.account_id)

        def recorded(future: "asyncio.Future[None]") -> None:
            if not future.cancelled() and future.exception() is not None:
                self._accounts.forget(identity.account_id)
                self._send_away(identity)

        self._committer.submit(write).add_done_callback(recorded)
        if self._accounts.numbers.left == NUMBERS_AT_ONCE // 2:
            self._committer.submit(reserve_numbers).add_done_callback(self._numbered)

    def _numbered(self, future: "asyncio.Future[range]") -> None:
        if not future.cancelled() and future.exception() is None:
            self._accounts.numbers.add(future.result())
