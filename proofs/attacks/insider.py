"""The relay's operator: whoever has its process, its disk, its database and its log's key."""

import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TypeVar

import sqlalchemy
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from blindrelay.protocol import topics
from blindrelay.protocol.address import DeviceAddress, UserAddress
from blindrelay.protocol.certificates import fingerprint, subject_of
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.rpc import (
    CLAIM_PREKEYS,
    LOOK_UP_USER,
    ClaimedPrekeys,
    ClaimPrekeys,
    Head,
    Included,
    LookUpUser,
    Method,
    UserEntry,
)
from blindrelay.protocol.statements import Signed, Wire
from blindrelay.protocol.transparency.entries import Bundle, pack
from blindrelay.protocol.transparency.policy import NO_QUORUM, Trust, Witness
from blindrelay.relay.identity import DeviceIdentity, Identity, Registrar
from blindrelay.relay.rpc import Handler, Rpc
from blindrelay.relay.server import Relay
from blindrelay.relay.store import tables
from blindrelay.relay.store.entries import Accepted
from blindrelay.relay.transparency.entries import append
from blindrelay.relay.transparency.log import Log, Published
from blindrelay.relay.transparency.shelf import Shelf

#: Who asks when the operator asks.
NOBODY: Final = Registrar()

Request = TypeVar("Request", bound=Wire)
Response = TypeVar("Response", bound=Wire)


@dataclass(frozen=True, slots=True)
class Carried:
    """An envelope that a client has handed to the relay. `sender` is empty for one that came anonymously."""

    sender: str
    recipient: str
    message_id: bytes
    payload: bytes = field(repr=False)


class _Entries:
    """The entries of a log, in memory."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        self._entries = list(entries)

    async def entries(self, start: int) -> list[bytes]:
        """Those from `start` on."""
        return self._entries[start:]

    async def count(self) -> int:
        """How many there are."""
        return len(self._entries)


class Insider:
    """Changes what a running relay answers, and keeps a copy of everything that it carries."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self.carried: list[Carried] = []
        self._accept = relay.committer.accept
        relay.committer.accept = self._copy  # type: ignore[method-assign]

    def _copy(self, entry: Accepted) -> None:
        addresses = {device.account_id: str(device.address) for device in self._relay.accounts._devices.values()}
        sender = "" if entry.sender_id is None else addresses[entry.sender_id]
        self.carried.append(Carried(sender, addresses[entry.mailbox_id], entry.message_id, entry.payload))
        self._accept(entry)

    @property
    def log(self) -> Log:
        """The log `directory`. Its key is `log.settings.keys[0]`."""
        return self._relay.directory_log.log

    @property
    def _shelf(self) -> Shelf:
        shelf = self.log.shelf
        assert isinstance(shelf, Shelf)  # noqa: S101 - a relay of one node's
        return shelf

    # Answers.

    @property
    def _handlers(self) -> dict[str, Handler]:
        rpc = self._relay.exchange.services.rpc
        assert isinstance(rpc, Rpc)  # noqa: S101 - a real relay's
        return rpc._handlers

    async def ask(self, method: Method[Request, Response], request: Request) -> Response:
        """What the relay answers, without asking it over the network."""
        answer = await self._handlers[method.name](NOBODY, request)
        assert isinstance(answer, method.response)  # noqa: S101 - it is the handler of this method
        return answer

    async def entry_of(self, user: UserAddress) -> UserEntry:
        """What it answers about a user."""
        return await self.ask(LOOK_UP_USER, LookUpUser(user=user))

    def answer(
        self,
        method: Method[Request, Response],
        lie: Callable[[Request, Callable[[Request], Awaitable[Response]]], Awaitable[Response]],
        to: DeviceAddress | None = None,
    ) -> None:
        """Answer a method by `lie`, which is given the request and the honest handler. `to`: that device alone."""
        handlers = self._handlers
        honest = handlers[method.name]

        async def handler(identity: Identity, request: Request) -> Any:
            if to is not None and not (isinstance(identity, DeviceIdentity) and identity.address == to):
                return await honest(identity, request)

            async def ask(asked: Request) -> Any:
                return await honest(identity, asked)

            return await lie(request, ask)

        handlers[method.name] = handler

    def hand_out(self, device: DeviceAddress, prekey: Callable[[], Signed], to: DeviceAddress | None = None) -> None:
        """Hand out prekeys of the operator's choice as those of a device. `to`: to that device alone."""

        async def claim(
            request: ClaimPrekeys, honest: Callable[[ClaimPrekeys], Awaitable[ClaimedPrekeys]]
        ) -> ClaimedPrekeys:
            others = [each for each in request.devices if each != device]
            claimed = dict((await honest(ClaimPrekeys(devices=others))).prekeys) if others else {}
            if device in request.devices:
                claimed[str(device)] = prekey()
            return ClaimedPrekeys(prekeys=claimed)

        self.answer(CLAIM_PREKEYS, claim, to)

    # The log.

    def prove(self, indices: list[int], seen: int, published: Published | None = None) -> tuple[list[Included], Head]:
        """Proofs out of a checkpoint of the operator's choice, as good as they get; out of the newest one by default."""
        log, shown = self.log, published or self.log.published
        included = [Included(index=index, path=list(log.inclusion(index, shown))) for index in indices]
        consistency = list(log.consistency(seen, shown)) if seen <= shown.checkpoint.size else []
        return included, Head(checkpoint=shown.note, consistency=consistency)

    async def entries(self) -> list[bytes]:
        """All entries of the log, in order, out of the database."""
        table = tables.directory_entry
        query = sqlalchemy.select(table.c.body).order_by(table.c.number)
        return await self._relay.committer.read(lambda connection: list(connection.execute(query).scalars()))

    async def enter(self, entry: bytes) -> int:
        """Write an entry into the log, for everybody to see; returns its index."""
        index = await self._relay.committer.run(lambda connection: append(connection, tables.directory_entry, entry))
        await self.log.publish()
        return index

    async def second_log(
        self, entries: Sequence[bytes], folder: Path, clock: Clock, witnesses: tuple[Witness, ...] = ()
    ) -> Log:
        """Another log of the same name and key. It is shown to the witnesses, and published whatever they say."""
        honest = self.log.settings
        settings = replace(honest, trust=Trust(honest.trust.log, witnesses, (), NO_QUORUM))
        return await Log.open(folder, _Entries(entries), settings, clock)

    def edit(self, entries: Sequence[bytes]) -> None:
        """Put other entries into the file in which the world reads them (of a log that is not large)."""
        bundle = Bundle.with_entry(0, self.log.published.checkpoint.size)
        self._shelf.path(bundle).write_bytes(pack(entries))

    async def rewrite(self, entries: Sequence[bytes], folder: Path, clock: Clock) -> None:
        """Publish the log with other entries, all its files and a signature, in its place."""
        other = await self.second_log(entries, folder, clock)
        await other.close()
        shutil.copytree(folder, self._shelf.folder, dirs_exist_ok=True)
        self._shelf.read.cache_clear()
        self.log.published = other.published

    # Devices.

    async def admit(self, certificate: x509.Certificate) -> None:
        """Take mail for a device, whoever vouches for it, and be it revoked."""
        accounts, address = self._relay.accounts, subject_of(certificate)
        assert isinstance(address, DeviceAddress)  # noqa: S101 - the attacks' own
        device, write = accounts.welcome(address, certificate.public_bytes(Encoding.DER), fingerprint(certificate))
        if write is not None:
            await self._relay.committer.run(write)
        mailbox = accounts.mailbox(device.account_id)
        assert mailbox is not None  # noqa: S101 - every account has one
        accounts.recipients[topics.to(address)] = mailbox

    async def root_of(self, tenant: str) -> bytes:
        """The root of a tenant (DER), out of the database."""
        query = sqlalchemy.select(tables.tenant.c.root).where(tables.tenant.c.name == tenant)
        return await self._relay.committer.read(lambda connection: bytes(connection.execute(query).scalar_one()))
