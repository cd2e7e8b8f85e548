"""The desk: the one facade. What it can be asked for, by authorities and by operators."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Self

from blindrelay.policies.stream import StreamEvent
from blindrelay.policies.vocabulary import EventKind
from blindrelay.relay.desk.errors import CaseNotFound
from blindrelay.relay.desk.views import CaseDetail, CaseSummary, CaseView, VerifiedRequest

__all__ = ["CaseNotFound", "CaseView", "Desk", "VerifiedRequest"]


class Desk:
    """One per relay. Every step is a row of the case file before it has an effect."""

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open `desk.sqlite` in `folder`."""
        raise NotImplementedError

    async def start(self) -> None:
        """Take up what was interrupted."""
        raise NotImplementedError

    async def close(self) -> None:
        """Close the case file."""
        raise NotImplementedError

    # For the doors.

    async def receive(self, signed: VerifiedRequest) -> CaseView:
        """Open a case and decide it. The same request again gets the same case. Raises `RequestConflict`."""
        raise NotImplementedError

    async def refuse_unauthenticated(self, reason: str, digest: str) -> None:
        """Record that something came that is no authenticated request: why, and the SHA-256 of it in hex."""
        raise NotImplementedError

    def status(self, authority_id: str, case_id: str) -> CaseView:
        """How an authority's case stands. Raises `CaseNotFound`."""
        raise NotImplementedError

    async def withdraw(self, authority_id: str, case_id: str) -> CaseView:
        """The authority takes its request back. Raises `CaseNotFound`."""
        raise NotImplementedError

    async def fetch(self, authority_id: str, case_id: str, demand_id: str, fetch_id: str) -> Path:
        """The sealed package, once for each `fetch_id` (the `jti` of the signed fetch); logged before this returns.

        Raises `CaseNotFound`, `NothingToFetch`, `AlreadyFetched`.
        """
        raise NotImplementedError

    def stream(
        self, authority_id: str, case_id: str, demand_id: str, after: str | None = None
    ) -> AsyncIterator[StreamEvent]:
        """What a real-time order delivers, from behind the position `after` on. Raises `CaseNotFound`, `NothingToFetch`."""
        raise NotImplementedError

    # For operators. `operator` is the name of the person.

    def list_cases(self, *, all_cases: bool = False) -> list[CaseSummary]:
        """The open cases, or all, the oldest first."""
        raise NotImplementedError

    def show(self, case_id: str) -> CaseDetail:
        """Everything about a case."""
        raise NotImplementedError

    async def approve(self, operator: str, case_id: str, demand_id: str) -> CaseDetail:
        """A person approves a demand as it is granted. Raises `NotAllowed` for the same person twice."""
        raise NotImplementedError

    async def reject(self, operator: str, case_id: str, demand_id: str, reason: str) -> CaseDetail:
        """A person refuses what the policies would grant. It is final."""
        raise NotImplementedError

    async def call_back(self, operator: str, case_id: str, *, confirmed: bool) -> CaseDetail:
        """What the agency said on the number of our own register."""
        raise NotImplementedError

    async def event(
        self, operator: str, case_id: str, kind: EventKind, demand_id: str | None = None, note: str = ""
    ) -> CaseDetail:
        """Something happened; the case is decided again in its light."""
        raise NotImplementedError

    async def tick(self, now: datetime | None = None) -> None:
        """Do what time has made due."""
        raise NotImplementedError
