"""What the doors ask of the desk: the part of `desk.Desk` that authorities reach."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

from blindrelay.policies.leaves import Receipt
from blindrelay.policies.stream import StreamEvent
from blindrelay.relay.desk.views import CaseView, VerifiedRequest


class AuthorityDesk(Protocol):
    """See `desk.Desk`."""

    async def receive(self, signed: VerifiedRequest) -> CaseView: ...

    async def refuse_unauthenticated(self, reason: str, digest: str) -> None: ...

    def status(self, authority_id: str, case_id: str) -> CaseView: ...

    async def withdraw(self, authority_id: str, case_id: str) -> CaseView: ...

    async def fetch(self, authority_id: str, case_id: str, demand_id: str, fetch_id: str) -> Path: ...

    async def receipt(self, authority_id: str, case_id: str, demand_id: str) -> Receipt: ...

    def stream(
        self, authority_id: str, case_id: str, demand_id: str, after: str | None = None
    ) -> AsyncIterator[StreamEvent]: ...
