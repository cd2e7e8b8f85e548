"""What the relay tells this device on its own account: fetched, checked, kept, and handed out once.

The key that signs notices is remembered when the relay first names it, over a connection whose TLS certificate was checked. A
notice under another key is not believed, whoever sends it; neither is one about somebody else.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Annotated, Final

from pydantic import Field

from blindrelay.clients.connection import Connection
from blindrelay.clients.errors import (
    ClientError,
    Closed,
    ConnectionLost,
    IdentityRejected,
    RequestRefused,
    StoreError,
    TimedOut,
)
from blindrelay.clients.keystore import KeyStore, Space
from blindrelay.clients.message import News, Update
from blindrelay.protocol.address import UserAddress
from blindrelay.protocol.certificates import load, public_key
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.errors import Malformed, VerificationFailed
from blindrelay.protocol.notices import AskNotices, DisclosureNotice, Notice, NoticeBody, NoticePage
from blindrelay.protocol.rpc import NOTICES
from blindrelay.protocol.statements import Purpose, Signed, Wire

logger = logging.getLogger("blindrelay.clients")

_PINNED: Final = "notice-certificate"
_RELAY: Final = "a notice of the relay"


class KeptNotice(Wire):
    """A notice as the key store has it: what it says, and the signed bytes, to be shown to others."""

    notice: Annotated[Notice, Field(discriminator="kind")]
    signed: Signed
    number: int  #: in the order in which they came
    received_at: int  #: epoch seconds, by this device's clock
    is_taken: bool = False  #: whether the application has been given it


class Notices:
    """The notices of one device.

    Args:
        user: whose device it is; None for an enterprise's administrator, to whom the relay tells of the service alone.
        tell: called with news.
    """

    def __init__(
        self, user: UserAddress | None, store: KeyStore, clock: Clock, tell: Callable[[Update], None] = lambda _: None
    ) -> None:
        self._user = user
        self._store = store
        self._clock = clock
        self._tell = tell
        self._due = asyncio.Event()
        self._come = asyncio.Event()
        self._over = False

    # Fetching.

    def wake(self) -> None:
        """There may be something new."""
        self._due.set()

    async def work(self, connection: Connection) -> None:
        """Fetch whenever there may be something, until cancelled. What fails is tried again at the next occasion."""
        while True:
            await self._due.wait()
            self._due.clear()
            try:
                await self.fetch(connection)
            except IdentityRejected as error:
                self._tell(Update(News.UNREADABLE, b"", reason=str(error)))
            except (RequestRefused, TimedOut, ConnectionLost, StoreError) as error:
                logger.warning("notices could not be fetched, and will be next time: %s", error)
            except ClientError:
                return  # the connection will not come back; whoever waits for it is told

    async def fetch(self, connection: Connection) -> None:
        """Fetch all that is new, and keep it, before the relay is told that we have it.

        Raises:
            IdentityRejected: a notice is not from who signed the first ones, or is about somebody else. None of the answer is
                kept, and none is acknowledged.
            RequestRefused, TimedOut, AdmissionRefused, Closed: see `Connection.call`.
        """
        seen: tuple[str, ...] = ()
        while True:
            page = await connection.call(NOTICES, AskNotices(seen=seen))
            seen = self._keep(page)
            if not seen:
                return

    def _keep(self, page: NoticePage) -> tuple[str, ...]:
        notices = check(page, self._pin(page.certificate), self._user)
        now = int(self._clock.now())
        if notices:
            before = len(self.kept())
            with self._store.transaction():
                for number, (notice, signed) in enumerate(notices, before + 1):
                    if self._store.get(Space.NOTICE, notice.id) is None:
                        self._write(KeptNotice(notice=notice, signed=signed, number=number, received_at=now))
            self._come.set()
        return tuple(notice.id for notice, _ in notices)

    def _pin(self, certificate: bytes) -> bytes:
        known = self._store.get(Space.SETTING, _PINNED)
        if known is None and certificate:
            self._store.put(Space.SETTING, _PINNED, certificate)
        return known or certificate

    # Reading.

    def kept(self) -> list[KeptNotice]:
        """All notices that this device has, the oldest first."""
        found = [KeptNotice.model_validate_json(value) for _, value in self._store.items(Space.NOTICE)]
        return sorted(found, key=lambda kept: kept.number)

    async def next(self) -> Notice:
        """The next notice that the application has not been given; it is not given again, by this process or another.

        Raises `Closed` when the device is left. A cancel takes nothing.
        """
        while True:
            self._come.clear()
            waiting = [kept for kept in self.kept() if not kept.is_taken]
            if waiting:
                self._write(waiting[0].model_copy(update={"is_taken": True}))
                return waiting[0].notice
            if self._over:
                raise Closed("the device was left")
            await self._come.wait()

    def open(self) -> None:
        """The device is connected (again)."""
        self._over = False

    def close(self) -> None:
        """The device is left: nothing will come."""
        self._over = True
        self._come.set()

    def _write(self, kept: KeptNotice) -> None:
        self._store.put(Space.NOTICE, kept.notice.id, kept.model_dump_json().encode())


def check(page: NoticePage, pinned: bytes, user: UserAddress | None) -> list[tuple[Notice, Signed]]:
    """What the notices of an answer say, each with what was signed.

    Args:
        pinned: the certificate (DER) that counts.
        user: whom notices of disclosure must be about.

    Raises:
        IdentityRejected: the answer names another certificate, a signature does not verify, or a notice is about another user.
    """
    if page.certificate != pinned:
        raise IdentityRejected(_RELAY, "notice key", "the relay signs with another key than the one it had before")
    if not page.notices:
        return []
    try:
        key = public_key(load(pinned))
        notices = [(signed.open_as(Purpose.NOTICE, NoticeBody, key).notice, signed) for signed in page.notices]
    except (VerificationFailed, Malformed) as error:
        raise IdentityRejected(_RELAY, "signature", str(error)) from error
    for notice, _ in notices:
        if isinstance(notice, DisclosureNotice) and notice.user != user:
            raise IdentityRejected(_RELAY, "user", "it is about somebody else")
    return notices
