"""Following a log: what is new, what of it is about us, and what is wrong with that.

How far it has read is remembered, and what it has found wrong stays found until it is put right (the CA knows the certificate
after all) or a person has dismissed it: an alarm that sounds once is one that is missed.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Annotated, Final

from pydantic import Field, ValidationError

from blindrelay.clients.auditor.log import PublicLog
from blindrelay.clients.auditor.watch import History, Own
from blindrelay.clients.errors import NotPossible, StoreDamaged
from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.statements import Wire
from blindrelay.protocol.transparency.directory import DeviceRevoked, DeviceStated, Entry, parse

# After so many entries it is remembered how far we are.
_SAVED_EVERY: Final = 65_536


class Finding(Wire):
    """An entry that is not as it should be. `check`: see `watch`."""

    index: Annotated[int, Field(ge=0)]
    check: str
    reason: str
    entry: Annotated[bytes, Field(repr=False)]

    @property
    def certificate(self) -> str | None:
        """SHA-256 of the certificate that it is about, hexadecimal; None for a root, or a leaving."""
        entry = parse(self.entry)
        return entry.certificate if isinstance(entry, DeviceStated | DeviceRevoked) else None


class _State(Wire):
    next: Annotated[int, Field(ge=0)] = 0
    findings: tuple[Finding, ...] = ()
    sequences: Annotated[dict[str, tuple[int, int]], Field(default_factory=dict)]
    revoked: Annotated[dict[str, int], Field(default_factory=dict)]


@dataclass(frozen=True, slots=True)
class Seen:
    """An entry that has been read. `entry` is None where nothing is ours, or this release does not know its form."""

    index: int
    data: bytes = field(repr=False)
    entry: Entry | None
    finding: Finding | None


class Monitor:
    """Follows a log, under a `name` of its own.

    Args:
        own: asked anew each time: devices are enrolled meanwhile. None: nothing is ours, and every entry is of interest.

    Attributes:
        findings: what is wrong, as long as it is.
        size: how many entries the log had at the last look.
    """

    def __init__(self, log: PublicLog, name: str, own: Callable[[], Own] | None) -> None:
        self.log = log
        self.findings: list[Finding] = []
        self.size = 0
        self._file = f"monitor-{name}.json"
        self._own = own

    async def look(self, progress: Callable[[int, int], None] = lambda _done, _of: None) -> AsyncGenerator[Seen, None]:
        """Verify the newest checkpoint, and read what has come since the last time: what is about us is handed out.

        Raises:
            LogRejected: the log does not hold. What was found so far is remembered.
            StoreDamaged: what this monitor remembers is damaged.
        """
        async with self.log.memory.locked(f"{self._file}.lock"):
            reading = await self.log.newest()
            self.size = reading.size
            # After the checkpoint: whatever is in the log by right was enrolled before.
            own = None if self._own is None else self._own()
            state = self._read()
            start = read = state.next
            history = History(dict(state.sequences), dict(state.revoked))
            self.findings = list(state.findings)
            try:
                async with aclosing(reading.tree.entries(start)) as entries:
                    async for index, data in entries:
                        read = index + 1
                        if (seen := self._judge(index, data, own, history)) is not None:
                            yield seen
                        if read % _SAVED_EVERY == 0:
                            self._keep(read, history)
                        progress(read - start, reading.size - start)
                self._settle(own)
            finally:
                if (read, tuple(self.findings)) != (state.next, state.findings):
                    self._keep(read, history)

    async def dismiss(self, index: int) -> Finding:
        """A person has dealt with what was found in the entry. Raises `NotPossible` if nothing was."""
        async with self.log.memory.locked(f"{self._file}.lock"):
            state = self._read()
            found = [finding for finding in state.findings if finding.index == index]
            if not found:
                known = ", ".join(str(finding.index) for finding in state.findings) or "none"
                raise NotPossible(f"nothing is open about the entry {index}; what is open: {known}")
            rest = tuple(finding for finding in state.findings if finding.index != index)
            self._write(state.model_copy(update={"findings": rest}))
        return found[0]

    def _judge(self, index: int, data: bytes, own: Own | None, history: History) -> Seen | None:
        if own is None:
            return Seen(index, data, None, None)
        try:
            entry = parse(data)
        except Malformed:
            return Seen(index, data, None, None)
        if not own.is_about(entry):
            return None
        late = history.follow(index, entry)
        wrong = own.objection(entry) or late
        finding = None
        if wrong is not None:
            finding = Finding(index=index, check=wrong[0], reason=f"entry {index}: {wrong[1]}", entry=data)
            self.findings.append(finding)
        return Seen(index, data, entry, finding)

    def _settle(self, own: Own | None) -> None:
        """What was wrong for want of knowledge may be right by now."""
        if own is not None:
            self.findings = [each for each in self.findings if _is_open(each, own)]

    # What is remembered.

    def _read(self) -> _State:
        data = self.log.memory.read(self._file)
        try:
            return _State.model_validate_json(data or b"{}")
        except ValidationError as error:
            raise StoreDamaged(
                f"{self.log.memory.path / self._file} is damaged: delete it, and the log is read again from its beginning"
            ) from error

    def _keep(self, read: int, history: History) -> None:
        self._write(
            _State(next=read, findings=tuple(self.findings), sequences=history.sequences, revoked=history.revoked)
        )

    def _write(self, state: _State) -> None:
        self.log.memory.write(self._file, state.model_dump_json().encode())


def _is_open(finding: Finding, own: Own) -> bool:
    if finding.check in {"revoked", "sequence"}:
        return True
    entry = parse(finding.entry)
    return own.is_about(entry) and own.objection(entry) is not None
