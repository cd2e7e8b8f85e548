"""The desk's side of the log `lawful-access`: telling what may be told, decoys, and receipts.

Commitments are made by the case file, in the transaction of the row (`journal`). What is here comes after them, and is done
again from the file when a crash comes between.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import log as natural_log
from pathlib import Path
from typing import Final

from blindrelay.policies.leaves import NAME, OpenedEntry, Receipt, case_label
from blindrelay.protocol.clock import Clock
from blindrelay.relay.config import Logs
from blindrelay.relay.desk.case import Case
from blindrelay.relay.desk.errors import NothingToFetch, NotPublished
from blindrelay.relay.desk.journal import Journal
from blindrelay.relay.desk.leaves import told_of
from blindrelay.relay.desk.logged import Committed
from blindrelay.relay.desk.report import is_silent
from blindrelay.relay.transparency.assembly import open_log
from blindrelay.relay.transparency.log import Log

# How long the handing over of a package waits for its entry to be published. Seconds.
_PATIENCE: Final = 5.0
# A decoy comes an hour after the last one, on average. When is drawn so that one says nothing about the next.
_DECOY_INTERVAL: Final = timedelta(hours=1)
#: What a receipt has at most: the request, this many of the last decisions, and the package.
_MAX_DECISIONS: Final = 100


class JournalEntries:
    """The log's `Source`: its entries are in the case file's database."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def entries(self, start: int) -> list[bytes]:
        """Those from `start` on, some at a time."""
        return await asyncio.to_thread(self._journal.log_entries, start)

    async def count(self) -> int:
        """How many there are."""
        return await asyncio.to_thread(self._journal.log_size)


class Disclosures:
    """See the module. Use `open`, and `close` when done."""

    def __init__(self, journal: Journal, folder: Path, logs: Logs, clock: Clock, identity: Path | None = None) -> None:
        self._journal = journal
        self._folder = folder
        self._identity = identity
        self._settings = logs
        self._clock = clock
        self._stack = contextlib.AsyncExitStack()
        self._log: Log | None = None
        self._silent: dict[str, datetime | None] = {}  # case -> when it may be told of; None: nobody knows
        self._next_decoy: datetime | None = None

    @property
    def log(self) -> Log:
        """The log itself. Raises `NotPublished` before `open`."""
        if self._log is None:
            raise NotPublished("the log of disclosures is not open")
        return self._log

    async def open(self, load: Callable[[str], Case]) -> None:
        """Open the log, and tell what may be told by now. Raises `StartupError`: it cannot be continued."""
        self._log = await self._stack.enter_async_context(
            open_log(NAME, self._folder, JournalEntries(self._journal), self._settings, self._clock, self._identity)
        )
        for case_id in await asyncio.to_thread(self._journal.untold):
            await self.written(load(case_id))

    async def close(self) -> None:
        """Close the log."""
        await self._stack.aclose()

    async def written(self, case: Case) -> None:
        """A row of a case has been written, or its silence has ended: tell what may be told."""
        if case.decision is not None and not case.is_test:
            if is_silent(case, self._now()):
                order = case.request.authorisation.non_disclosure
                self._silent[case.case_id] = None if order is None else order.until
            else:
                self._silent.pop(case.case_id, None)
                await asyncio.to_thread(self._tell, case.case_id)
        self._wake()

    async def tick(self, now: datetime, load: Callable[[str], Case]) -> None:
        """Tell of cases whose silence has ended, and add a decoy when it is time for one."""
        for case_id in [case_id for case_id, at in self._silent.items() if at is not None and at <= now]:
            await self.written(load(case_id))
        if self._next_decoy is not None and now >= self._next_decoy:
            await asyncio.to_thread(self._journal.decoy)
            self._wake()
        if self._next_decoy is None or now >= self._next_decoy:
            chance = secrets.SystemRandom().random()
            self._next_decoy = now - _DECOY_INTERVAL * natural_log(1.0 - chance)

    async def wait_for_package(self, case_id: str, demand_id: str) -> None:
        """Wait until the world can see that there is this package.

        Raises:
            NotPublished: it is not in the log, or that cannot be published. Nothing is handed over.
        """
        committed = await asyncio.to_thread(self._package, case_id, demand_id)
        if committed is None:
            raise NotPublished("the package has no entry in the public log, and is not handed over without one")
        try:
            async with asyncio.timeout(_PATIENCE):
                await self.log.wait_published(committed.number)
        except TimeoutError:
            raise NotPublished(
                "the public log could not be published with its witnesses, and nothing is handed over before: try again later"
            ) from None

    async def receipt(self, case_id: str, demand_id: str) -> Receipt:
        """That the log has the request, the decisions and the package. Raises `NothingToFetch`, `NotPublished`."""
        await self.wait_for_package(case_id, demand_id)
        wanted = await asyncio.to_thread(self._steps, case_id, demand_id)
        published = self.log.published
        return Receipt(
            policy=str(self.log.settings.trust),
            checkpoint=published.note,
            entries=tuple(
                OpenedEntry(
                    index=one.number,
                    salt=one.salt,
                    opening=one.opening,
                    path=list(self.log.inclusion(one.number, published)),
                )
                for one in wanted
            ),
        )

    def _steps(self, case_id: str, demand_id: str) -> list[Committed]:
        """The request, the last decisions, and the last package of the demand, in order."""
        package = self._package(case_id, demand_id)
        if package is None:
            raise NothingToFetch("nothing has been released for this demand")
        before = [one for one in self._journal.committed(case_id) if one.number < package.number]
        requests = [one for one in before if one.opening.step == "request"]
        decisions = [one for one in before if one.opening.step == "decision"]
        return [*requests, *decisions[-_MAX_DECISIONS:], package]

    def _package(self, case_id: str, demand_id: str) -> Committed | None:
        found = [
            one
            for one in self._journal.committed(case_id)
            if one.opening.step == "package" and one.opening.demand == demand_id
        ]
        return found[-1] if found else None

    def _tell(self, case_id: str) -> None:
        """Go through the case as it was after each row: what is told of a row is what held then."""
        committed = {one.opening.sequence: one for one in self._journal.committed(case_id)}
        if all(one.is_told for one in committed.values()):
            return
        first, *others = self._journal.rows(case_id)
        label = case_label(committed[first.sequence].salt)
        case = Case.restore([first])
        for row in (first, *others):
            if row is not first:
                case.apply(row)
            one = committed.get(row.sequence)
            if one is not None and not one.is_told:
                self._journal.tell(one.number, told_of(case, row.body, one.number, label).encode())

    def _wake(self) -> None:
        if self._log is not None:
            self._log.wake()

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now(), UTC)
