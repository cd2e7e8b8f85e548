"""Somebody who reads the relay's public logs now and then during a run, and remembers: the auditor that ships, over HTTPS."""

from collections.abc import Iterable
from contextlib import aclosing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from blindrelay.clients.auditor.address import LogsAddress
from blindrelay.clients.auditor.audit import Audit, Disclosed, Question
from blindrelay.proofs.evidence.manifest import Audited, Case
from blindrelay.protocol.clock import Clock


class Auditor:
    """Args:
    folder: the run's; what is remembered is in `auditor`.
    ca: the relay's certificate.
    """

    def __init__(self, folder: Path, ca: bytes, clock: Clock) -> None:
        self._folder = folder
        self._ca = ca
        self._clock = clock
        self._since = self._today()

    async def look(self, moment: str, port: int, cases: Iterable[Case]) -> list[Audited]:
        """Audit everything from the run's first day on, and every package by its receipt.

        Args:
            port: where the relay shows its logs.

        Raises `ClientError`: there are no logs, or the relay does not answer.
        """
        disclosed = [
            Disclosed(self._folder / case.packages[demand], self._folder / receipt)
            for case in cases
            for demand, receipt in case.receipts.items()
        ]
        question = Question(self._since, self._today() + timedelta(days=1), packages=tuple(disclosed))
        audit = Audit(LogsAddress("127.0.0.1", port, self._ca), self._folder / "auditor", question, self._clock)
        async with aclosing(audit.run()) as findings:
            return [
                Audited(moment=moment, check=found.check, seen=found.seen, wrong=list(found.wrong))
                async for found in findings
            ]

    def _today(self) -> date:
        return datetime.fromtimestamp(self._clock.now(), UTC).date()
