"""Re-verifies everything that a relay claims about a period, from what it shows to all and, if there are any, from packages.

| check          | what it shows                                                                                        |
|----------------|------------------------------------------------------------------------------------------------------|
| `directory`    | the log of roots, statements and revocations: signed, witnessed, whole, continuing what was seen before |
| `lawful-access`| the log of requests, likewise                                                                        |
| `older`        | both continue checkpoints that somebody else has kept                                                |
| `accounts`     | each disclosure that is told of has its request, and a decision that allows it, before it            |
| `report`       | the figures of the transparency report are those of the log                                          |
| `package`      | a disclosed package is the one that the log has, after its request and its decision                  |
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from blindrelay.clients.auditor.accounting import Account
from blindrelay.clients.auditor.address import LogsAddress
from blindrelay.clients.auditor.comparing import ClaimedReport, compare
from blindrelay.clients.auditor.log import PublicLog, Reading, Wants, open_log
from blindrelay.clients.auditor.source import HttpSource
from blindrelay.clients.errors import LogRejected, NotPossible
from blindrelay.policies import leaves
from blindrelay.policies.leaves import Receipt, RequestTold, case_label
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency import directory
from blindrelay.protocol.transparency.checkpoint import Checkpoint
from blindrelay.protocol.transparency.note import Note
from blindrelay.protocol.transparency.policy import Trust

_MAX_REPORT: Final = 4_194_304
_PIECE: Final = 1_048_576
#: So many sentences of one check are kept: the first ones say what is wrong.
_MAX_SENTENCES: Final = 20

#: Told what is being read, how many entries have been, and of how many.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one check: `wrong` has a sentence for each thing that does not hold, `seen` says what was looked at."""

    check: str
    seen: str
    wrong: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.wrong


@dataclass(frozen=True, slots=True)
class Disclosed:
    """A sealed package, as an authority has got it, and its receipt."""

    package: Path
    receipt: Path


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be audited.

    Attributes:
        since, until: the first day, and the day after the last.
        report: a report that was published elsewhere; None: what the relay says now.
        older: checkpoints that somebody has kept, of either log.
        packages: that were disclosed.
    """

    since: date
    until: date
    report: bytes | None = None
    older: tuple[bytes, ...] = ()
    packages: tuple[Disclosed, ...] = ()


@dataclass(slots=True)
class Audit:
    """One audit. `folder` is where the auditor remembers what it has seen of logs."""

    address: LogsAddress
    folder: Path
    question: Question
    clock: Clock
    wants: Wants = field(default_factory=Wants)
    progress: Progress = lambda _what, _done, _of: None

    async def run(self) -> AsyncGenerator[Finding, None]:
        """The findings, one after the other.

        Raises:
            NotEnrolled: the relay has no such log.
            Malformed: a file of the question's is none.
            RelayUnreachable, ConnectionLost, TimedOut, StoreError
        """
        async with AsyncExitStack() as stack:
            readings: dict[str, Reading] = {}
            trusts: dict[str, Trust] = {}
            account = Account()
            for name in (directory.NAME, leaves.NAME):
                log = await stack.enter_async_context(
                    open_log(self.address, name, self.folder, wants=self.wants, clock=self.clock)
                )
                finding, reading = await self._read(name, log, account)
                if reading is not None:
                    readings[name], trusts[name] = reading, log.trust
                yield finding
            for data in self.question.older:
                yield await _continues(data, readings, trusts)
            if leaves.NAME in readings:
                yield _accounts(account)
                yield await self._report(account, stack)
                for disclosed in self.question.packages:
                    yield await _package(disclosed, readings[leaves.NAME], account)

    async def _read(self, name: str, log: PublicLog, account: Account) -> tuple[Finding, Reading | None]:
        """Go through a whole log."""
        seen = f"the log {name}"
        wrong: list[str] = []
        try:
            reading = await log.newest()
            async for index, entry in reading.tree.entries():
                self.progress(name, index + 1, reading.size)
                if name == leaves.NAME:
                    account.take(index, entry)
                else:
                    wrong += _directory_flaws(index, entry)
        except LogRejected as error:
            return Finding(name, seen, (f"{error.check}: {error.reason}",)), None
        witnesses = len(reading.witnessed.cosigned)
        said = ", verified by what only the relay itself says" if log.is_said_by_relay else ""
        seen = f"{reading.size} entries of {reading.tree.head.origin}, {witnesses} witnesses{said}"
        return Finding(name, seen, tuple(wrong[:_MAX_SENTENCES])), reading

    async def _report(self, account: Account, stack: AsyncExitStack) -> Finding:
        """Compare; where the relay is asked, once more when the two differ, for it may have been telling just then."""
        if self.question.report is not None:
            return _compared(ClaimedReport.parse(self.question.report), account, "the report that was given")
        source = await stack.enter_async_context(HttpSource(self.address, self.address.origin))
        finding = _compared(await self._claimed(source), account, "the report that the relay shows")
        if finding.holds:
            return finding
        log = await stack.enter_async_context(
            open_log(self.address, leaves.NAME, self.folder, wants=self.wants, clock=self.clock)
        )
        claimed, again = await self._claimed(source), Account()
        async for index, entry in (await log.newest()).tree.entries():
            again.take(index, entry)
        return _compared(claimed, again, "the report that the relay shows")

    async def _claimed(self, source: HttpSource) -> ClaimedReport:
        period = f"from={self.question.since.isoformat()}&to={self.question.until.isoformat()}"
        data = await source.get(f"transparency?{period}", _MAX_REPORT)
        if data is None:
            raise NotPossible("the relay shows no transparency report: name a file with the one that was published")
        return ClaimedReport.parse(data)


def _directory_flaws(index: int, entry: bytes) -> list[str]:
    try:
        directory.parse(entry)
    except Malformed as error:
        return [f"entry {index}: {error}"]
    return []


def _accounts(account: Account) -> Finding:
    flaws = account.check()
    seen = f"{len(account.cases)} cases told of, {account.untold} commitments that nobody has been told of (decoys among them)"
    return Finding("accounts", seen, tuple(f"entry {each.index}: {each.reason}" for each in flaws[:_MAX_SENTENCES]))


def _compared(report: ClaimedReport, account: Account, which: str) -> Finding:
    seen = f"{which}, {report.since.date()} to {report.until.date()}: {report.requests} requests"
    return Finding("report", seen, tuple(compare(report, account))[:_MAX_SENTENCES])


async def _continues(data: bytes, readings: dict[str, Reading], trusts: dict[str, Trust]) -> Finding:
    note = Note.parse(data)
    old = Checkpoint.parse(note.text)
    seen = f"an older checkpoint of {old.origin}, of {old.size} entries"
    found = next((name for name, trust in trusts.items() if trust.log.name == old.origin), None)
    if found is None:
        return Finding("older", seen, ("it is of another log than those of this relay, or that one does not hold",))
    if not note.is_signed_by(trusts[found].log):
        return Finding("older", seen, ("the log has not signed it",))
    tree = readings[found].tree
    if old.size > tree.head.size:
        return Finding("older", seen, (f"the log has {tree.head.size} entries now: some have been taken away",))
    if await tree.root(old.size) != old.root:
        return Finding("older", seen, ("the log has others now: both checkpoints together are proof of two histories",))
    return Finding("older", seen)


async def _package(disclosed: Disclosed, reading: Reading, account: Account) -> Finding:
    digest = await asyncio.to_thread(digest_of, disclosed.package)
    receipt = read_receipt(disclosed.receipt)
    wrong = [sentence async for sentence in _package_flaws(digest, receipt, reading)]
    told = "its case is told of" if _is_told(receipt, account) else "its case is not told of yet"
    return Finding("package", f"{disclosed.package.name} ({digest}); {told}", tuple(wrong))


async def _package_flaws(digest: str, receipt: Receipt, reading: Reading) -> AsyncIterator[str]:
    packages = [each for each in receipt.entries if each.opening.step == "package"]
    if not any(each.opening.document == digest for each in packages):
        yield "the receipt opens the entry of another package: this one is not in the log"
    if len({each.opening.case for each in receipt.entries}) > 1:
        yield "the receipt mixes the entries of several cases"
    for each in receipt.entries:
        expected = each.opening.commitment(each.salt).encode()
        if each.index >= reading.size or await reading.tree.entry(each.index) != expected:
            yield f"the log has something else at {each.index} than the {each.opening.step} that the receipt opens"
    last = max((each.index for each in packages), default=-1)
    for step in ("request", "decision"):
        if not any(each.opening.step == step and each.index < last for each in receipt.entries):
            yield f"there is no {step} before the package"


def _is_told(receipt: Receipt, account: Account) -> bool:
    labels = {case_label(each.salt) for each in receipt.entries if each.opening.step == "request"}
    return any(label in account.cases and account.cases[label].all(RequestTold) for label in labels)


def read_receipt(path: Path) -> Receipt:
    """The receipt in a file. Raises `Malformed`."""
    try:
        return Receipt.model_validate_json(path.read_bytes())
    except ValidationError:
        raise Malformed(f"{path} is not the receipt of a package") from None


def digest_of(package: Path) -> str:
    """SHA-256 of a sealed package, in hex: what the log has of it."""
    digest = sha256()
    with package.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def all_hold(findings: Sequence[Finding]) -> bool:
    """Whether nothing at all is wrong."""
    return all(finding.holds for finding in findings)
