"""Looking at a relay from below: at the bytes on its disk, without asking it."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from blindrelay.clients.errors import TimedOut
from blindrelay.protocol.address import DeviceAddress, UserAddress
from blindrelay.relay.inventory import FIELDS, Place

_LOOK_EVERY = 0.05
_QUIET_LOOKS = 6
# Enough of an envelope to find it again by chance only.
_SAMPLE = 32


@dataclass(frozen=True, slots=True)
class Envelope:
    """A row of the relay's table of envelopes."""

    recipient: str
    message_id: bytes
    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the relay had of one message while it waited.

    Attributes:
        envelopes: one for each device that it waited for.
        traffic: for each of them, the TrafficRecord: the inventory's name of the field, and the value.
    """

    envelopes: tuple[Envelope, ...]
    traffic: tuple[tuple[tuple[str, str], ...], ...]


class RelayDisk:
    """A relay's data directory, read only."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def waiting(self) -> int:
        """How many envelopes wait."""
        with closing(self._open()) as database:
            return int(database.execute("SELECT count(*) FROM envelope").fetchone()[0])

    async def wait_quiet(self, patience: float) -> None:
        """Wait until nothing waits for anybody, and has not for a while: receipts cause receipts.

        Raises:
            TimedOut: something still waits after `patience` seconds.
        """
        try:
            async with asyncio.timeout(patience):
                quiet = 0
                while quiet < _QUIET_LOOKS:
                    quiet = 0 if self.waiting() else quiet + 1
                    await asyncio.sleep(_LOOK_EVERY)
        except TimeoutError as error:
            raise TimedOut(f"{self.waiting()} envelopes still wait after {patience:g} s") from error

    async def wait_for(self, user: UserAddress, count: int, patience: float) -> Evidence:
        """Wait until `count` envelopes wait for the devices of `user`; return what there is about them.

        Raises:
            TimedOut: there are fewer after `patience` seconds.
        """
        try:
            async with asyncio.timeout(patience):
                while True:
                    evidence = self._record_for(user)
                    if len(evidence.envelopes) >= count:
                        return evidence
                    await asyncio.sleep(_LOOK_EVERY)
        except TimeoutError as error:
            raise TimedOut(f"the relay has not got a message for {user} within {patience:g} s") from error

    def _record_for(self, user: UserAddress) -> Evidence:
        with closing(self._open()) as database:
            accounts = self._accounts(database)
            rows = database.execute("SELECT mailbox_id, message_id, size, payload FROM envelope ORDER BY mailbox_id")
            envelopes = tuple(
                # The column is longer than the envelope: zeros lay it out so that it can be erased.
                Envelope(accounts[mailbox], bytes(message_id), bytes(payload[:size]))
                for mailbox, message_id, size, payload in rows
                if DeviceAddress.parse(accounts[mailbox]).owner == user
            )
            traffic = tuple(self._traffic(database, envelope.message_id, accounts) for envelope in envelopes)
        return Evidence(envelopes, traffic)

    @staticmethod
    def _traffic(
        database: sqlite3.Connection, message_id: bytes, accounts: dict[int, str]
    ) -> tuple[tuple[str, str], ...]:
        fields = [entry for entry in FIELDS if entry.place is Place.DATABASE and entry.where.startswith("traffic.")]
        columns = [entry.where.partition(".")[2] for entry in fields]
        # The names are those of the registry, which is code.
        query = f"SELECT {', '.join(columns)} FROM traffic WHERE message_id = ?"  # noqa: S608
        row = database.execute(query, (message_id,)).fetchone()
        values = [_legible(column, value, accounts) for column, value in zip(columns, row, strict=True)]
        return tuple(zip((entry.name for entry in fields), values, strict=True))

    async def wait_gone(self, evidence: Evidence, patience: float) -> None:
        """Wait until nothing of the envelopes is in any file of the relay.

        Raises:
            TimedOut: they are still there after `patience` seconds.
        """
        samples = [envelope.payload[_SAMPLE : 2 * _SAMPLE] for envelope in evidence.envelopes]
        try:
            async with asyncio.timeout(patience):
                while self.search(samples)[0]:  # noqa: ASYNC110 - a disk tells nobody that it has changed
                    await asyncio.sleep(_LOOK_EVERY)
        except TimeoutError as error:
            raise TimedOut(f"the relay still has an envelope {patience:g} s after it was acknowledged") from error

    def search(self, needles: Sequence[bytes]) -> tuple[list[bytes], int]:
        """Which of `needles` are anywhere in the files of the relay, and how many bytes those are."""
        found: list[bytes] = []
        size = 0
        for path in sorted(path for path in self._folder.rglob("*") if path.is_file()):
            content = path.read_bytes()
            size += len(content)
            found += [needle for needle in needles if needle in content]
        return found, size

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{self._folder / 'relay.db'}?mode=ro", uri=True, timeout=10)

    @staticmethod
    def _accounts(database: sqlite3.Connection) -> dict[int, str]:
        rows = database.execute('SELECT account_id, tenant, "user", device FROM device')
        return {account: f"{tenant}/{user}/{device}" for account, tenant, user, device in rows}


def _legible(column: str, value: object, accounts: dict[int, str]) -> str:
    match column, value:
        case _, None:
            return "none"
        case (("sender_id" | "recipient_id"), int(account)):
            return f"{account} ({accounts[account]})"
        case "accepted_at", int(seconds):
            return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"
        case _, bytes(data):
            return data.hex()
    return str(value)


def can_decrypt(pid: int) -> bool | None:
    """Whether the process has the clients' ratchet in its memory; None where the system does not tell."""
    try:
        return "vodozemac" in Path(f"/proc/{pid}/maps").read_text("utf-8", "replace")
    except OSError:
        return None
