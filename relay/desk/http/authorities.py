"""The routes for authorities. Each takes a signed call and nothing else: no cookie, no query, no header counts."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import StreamingResponse

from blindrelay.policies.exchange import (
    JOSE,
    MAX_CALL,
    CallPurpose,
    CaseAnswer,
    FetchCall,
    ReceiptCall,
    RelayIdentity,
    RequestCall,
    StatusCall,
    StreamCall,
    WithdrawCall,
)
from blindrelay.policies.leaves import Receipt
from blindrelay.policies.stream import StreamEvent
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.statements import Wire
from blindrelay.relay.desk.http.answers import case_answer
from blindrelay.relay.desk.http.door import Door
from blindrelay.relay.desk.http.events import server_sent
from blindrelay.relay.desk.http.limits import DoorLimits
from blindrelay.relay.desk.http.openapi import problems
from blindrelay.relay.desk.http.ports import AuthorityDesk
from blindrelay.relay.desk.problems import ProblemKind
from blindrelay.relay.desk.views import VerifiedRequest

#: The media type of a sealed package.
PACKAGE: Final = "application/vnd.blindrelay.package"
EVENTS: Final = "text/event-stream"
_CHUNK: Final = 65_536

_REFUSALS: Final = (
    ProblemKind.MALFORMED,
    ProblemKind.STALE,
    ProblemKind.WRONG_PURPOSE,
    ProblemKind.UNAUTHENTICATED,
    ProblemKind.TOO_SLOW,
    ProblemKind.REPLAYED,
    ProblemKind.TOO_LARGE,
    ProblemKind.MEDIA_TYPE,
    ProblemKind.WRONG_AUDIENCE,
    ProblemKind.INVALID,
    ProblemKind.TOO_MANY,
    ProblemKind.INTERNAL,
    ProblemKind.UNAVAILABLE,
)


def authority_routes(
    desk: AuthorityDesk, door: Door, relay: RelayIdentity, limits: DoorLimits, clock: Clock
) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/v1", tags=["authorities"])
    refused = problems(*_REFUSALS, ProblemKind.CONFLICT)
    refused_case = problems(*_REFUSALS, ProblemKind.NOT_FOUND)
    refused_package = problems(*_REFUSALS, ProblemKind.NOT_FOUND, ProblemKind.NO_PACKAGE)

    @router.get("/relay", operation_id="relay", responses=problems(ProblemKind.TOO_MANY, ProblemKind.INTERNAL))
    async def identity() -> RelayIdentity:
        """Who this relay is, and the certificate of the key that signs its packages. Not signed: TLS vouches for it."""
        return relay

    @router.post("/requests", operation_id="request", responses=refused, openapi_extra=_call(RequestCall))
    async def hand_in(request: Request) -> CaseAnswer:
        """Hand in a request. It is decided at once, demand by demand. The same request again gets the same case."""
        caller, call, token = await door.admit(request, RequestCall, CallPurpose.REQUEST)
        received = datetime.fromtimestamp(clock.now(), UTC)
        signed = VerifiedRequest(caller.authority_id, call.document, token.decode("ascii"), received)
        return case_answer(await desk.receive(signed))

    @router.post("/status", operation_id="status", responses=refused_case, openapi_extra=_call(StatusCall))
    async def status(request: Request) -> CaseAnswer:
        """How a case stands. A case of somebody else's does not exist."""
        caller, call, _ = await door.admit(request, StatusCall, CallPurpose.STATUS)
        return case_answer(desk.status(caller.authority_id, str(call.document.case_id)))

    @router.post("/withdrawals", operation_id="withdraw", responses=refused_case, openapi_extra=_call(WithdrawCall))
    async def withdraw(request: Request) -> CaseAnswer:
        """Take a request back. What has been disclosed stays so; nothing more is."""
        caller, call, _ = await door.admit(request, WithdrawCall, CallPurpose.WITHDRAW)
        return case_answer(await desk.withdraw(caller.authority_id, str(call.document.case_id)))

    @router.post(
        "/packages",
        operation_id="fetch",
        response_class=StreamingResponse,
        responses={
            200: {"content": {PACKAGE: {"schema": {"type": "string", "format": "binary"}}}, "description": "Sealed"},
            **refused_package,
        },
        openapi_extra=_call(FetchCall),
    )
    async def fetch(request: Request) -> StreamingResponse:
        """Fetch the sealed package of a granted demand. Each signed call is answered with it at most once."""
        caller, call, _ = await door.admit(request, FetchCall, CallPurpose.FETCH)
        document = call.document
        path = await desk.fetch(caller.authority_id, str(document.case_id), document.demand_id, str(call.jti))
        size = (await asyncio.to_thread(path.stat)).st_size
        return StreamingResponse(_pieces(path), media_type=PACKAGE, headers={"content-length": str(size)})

    @router.post("/receipts", operation_id="receipt", responses=refused_package, openapi_extra=_call(ReceiptCall))
    async def receipt(request: Request) -> Receipt:
        """The proof that the public log has a package, and the request and the decisions before it."""
        caller, call, _ = await door.admit(request, ReceiptCall, CallPurpose.RECEIPT)
        document = call.document
        return await desk.receipt(caller.authority_id, str(document.case_id), document.demand_id)

    @router.post(
        "/streams",
        operation_id="stream",
        response_class=StreamingResponse,
        responses={
            200: {"content": {EVENTS: {"schema": {"type": "string"}}}, "description": "Server-sent events"},
            **refused_package,
        },
        openapi_extra=_call(StreamCall),
    )
    async def stream(request: Request) -> StreamingResponse:
        """Follow a real-time order: its records as server-sent events, until the order ends."""
        caller, call, _ = await door.admit(request, StreamCall, CallPurpose.STREAM)
        document = call.document
        events: AsyncIterator[StreamEvent] = desk.stream(
            caller.authority_id, str(document.case_id), document.demand_id, call.after
        )
        return StreamingResponse(server_sent(events, limits.beat_seconds), media_type=EVENTS)

    return router


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    """A file, piece by piece: however large it is, 64 KiB of it are in memory."""
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while piece := await asyncio.to_thread(file.read, _CHUNK):
            yield piece
    finally:
        file.close()


def _call(kind: type[Wire]) -> dict[str, Any]:
    """How the body of a route is described: a JWS, and what is in it."""
    return {
        "requestBody": {
            "required": True,
            "description": "A JWS in compact form, ES256, with the officer's certificate and the authority's root in x5c.",
            "content": {
                JOSE: {
                    "schema": {
                        "type": "string",
                        "maxLength": MAX_CALL,
                        "pattern": r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$",
                        "contentMediaType": "application/json",
                        "contentSchema": {"$ref": f"#/components/schemas/{kind.__name__}"},
                    }
                }
            },
        }
    }
