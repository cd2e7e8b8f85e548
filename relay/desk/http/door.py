"""The way in for authorities: from bytes to somebody who is known and a document that is valid, or to a recorded refusal."""

import asyncio
from hashlib import sha256
from typing import TypeVar

from starlette.requests import Request

from blindrelay.policies.exchange import JOSE, AnyCall, CallPurpose
from blindrelay.protocol.clock import Clock
from blindrelay.relay.desk.authentication import Authentication, Caller
from blindrelay.relay.desk.http.limits import DoorLimits, Gauge
from blindrelay.relay.desk.http.ports import AuthorityDesk
from blindrelay.relay.desk.problems import CallRefused, ProblemKind

CallT = TypeVar("CallT", bound=AnyCall)


class Door:
    """Lets calls in, and has those written down that it does not let in."""

    def __init__(self, desk: AuthorityDesk, authentication: Authentication, limits: DoorLimits, clock: Clock) -> None:
        self._desk = desk
        self._authentication = authentication
        self._authorities = Gauge(limits.authority_rate, limits.authority_burst, clock)
        self._records = Gauge(limits.record_rate, limits.record_burst, clock)
        self._unrecorded = 0

    async def admit(self, request: Request, kind: type[CallT], purpose: CallPurpose) -> tuple[Caller, CallT, bytes]:
        """Who calls, what for, and the JWS itself.

        Raises:
            CallRefused: it is not carried out. It has been recorded, save for a media type that is not ours and a caller
                who calls too often.
            NotRecorded: the case file cannot be written.
        """
        if request.headers.getlist("content-type") != [JOSE]:
            raise CallRefused(ProblemKind.MEDIA_TYPE, f"expected Content-Type: {JOSE}, without parameters")
        token = await request.body()
        try:
            # In a thread: it reads the register, whose lock somebody may hold who waits for the disk.
            caller, payload = await asyncio.to_thread(self._authentication.caller, token)
            self._check_rate(caller)
            call = await self._authentication.admit(caller, payload, kind, purpose)
        except CallRefused as refusal:
            if refusal.kind is not ProblemKind.TOO_MANY:
                await self.record(refusal.reason, sha256(token).hexdigest())
            raise
        return caller, call, token

    def _check_rate(self, caller: Caller) -> None:
        if not self._authorities.allows(caller.authority_id):
            raise CallRefused(ProblemKind.TOO_MANY)

    async def record(self, reason: str, digest: str) -> None:
        """Have a refused call written down. In a flood the calls in between are counted, and the next row says how many."""
        if not self._records.allows(None):
            self._unrecorded += 1
            return
        missed, self._unrecorded = self._unrecorded, 0
        await self._desk.refuse_unauthenticated(f"{reason} (and {missed} more)" if missed else reason, digest)

    @property
    def retry_after(self) -> int:
        """After how many seconds an authority that called too often may call again."""
        return self._authorities.retry_after
