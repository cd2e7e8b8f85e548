"""The HTTP application: authorities' routes, operators' routes, and what every refusal reads like."""

from dataclasses import dataclass

import structlog
from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from blindrelay.policies.exchange import RelayIdentity
from blindrelay.protocol.clock import Clock
from blindrelay.relay.desk import errors
from blindrelay.relay.desk.authentication import Authentication
from blindrelay.relay.desk.http.authorities import authority_routes
from blindrelay.relay.desk.http.door import Door
from blindrelay.relay.desk.http.guard import Guard
from blindrelay.relay.desk.http.limits import DoorLimits
from blindrelay.relay.desk.http.ports import AuthorityDesk
from blindrelay.relay.desk.problems import PROBLEM_JSON, CallRefused, ProblemKind

_log = structlog.get_logger()

#: What each error of the desk is on the wire.
PROBLEMS: dict[type[errors.DeskError], ProblemKind] = {
    errors.CaseNotFound: ProblemKind.NOT_FOUND,
    errors.RequestConflict: ProblemKind.CONFLICT,
    errors.NothingToFetch: ProblemKind.NO_PACKAGE,
    errors.NotPublished: ProblemKind.UNAVAILABLE,
    errors.AlreadyFetched: ProblemKind.REPLAYED,
    errors.NotAllowed: ProblemKind.FORBIDDEN,
    errors.UnknownOperator: ProblemKind.UNAUTHENTICATED,
    errors.RegisterError: ProblemKind.INVALID,
    errors.AlreadyRecorded: ProblemKind.CONFLICT,
    errors.NotRecorded: ProblemKind.UNAVAILABLE,
    errors.CaseFileDamaged: ProblemKind.INTERNAL,
}
_STATUS = {
    404: ProblemKind.NO_SUCH_ADDRESS,
    405: ProblemKind.METHOD,
    401: ProblemKind.UNAUTHENTICATED,
    403: ProblemKind.FORBIDDEN,
    415: ProblemKind.MEDIA_TYPE,
    422: ProblemKind.INVALID,
}


@dataclass(frozen=True, slots=True)
class Doors:
    """What the application is made of."""

    desk: AuthorityDesk
    authentication: Authentication
    relay: RelayIdentity
    clock: Clock
    limits: DoorLimits
    #: The operators' routes, below `/v1/operator`.
    operators: APIRouter | None = None


def application(doors: Doors) -> tuple[FastAPI, ASGIApp]:
    """The application, for its description, and the same behind its guard, to be served."""
    # No documentation pages, no schema: what is not there cannot be probed. The document is in the reference.
    app = FastAPI(
        title="Blindrelay lawful desk",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    door = Door(doors.desk, doors.authentication, doors.limits, doors.clock)
    app.include_router(authority_routes(doors.desk, door, doors.relay, doors.limits, doors.clock))
    if doors.operators is not None:
        app.include_router(doors.operators)
    app.add_exception_handler(errors.DeskError, _desk_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_middleware(Unexpected)
    return app, Guard(app, doors.limits, doors.clock, door.record)


class Unexpected:
    """Answers when something has failed that nobody has expected; else the framework would, in words of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. What fails in the middle of an answer is for the guard: it ends the connection."""
        has_begun = False

        async def sending(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception:
            if has_begun:
                raise
            _log.exception("request failed")
            await problem(ProblemKind.INTERNAL)(scope, receive, send)


def problem(kind: ProblemKind, detail: str | None = None, *, retry_after: int = 1) -> Response:
    """A problem as a response."""
    headers: dict[str, str] = {}
    if kind is ProblemKind.UNAUTHENTICATED:
        headers["www-authenticate"] = 'JWS typ="blindrelay-call+jws", Bearer'
    if kind is ProblemKind.TOO_MANY:
        headers["retry-after"] = str(retry_after)
    return Response(kind.problem(detail).model_dump_json(), kind.status, headers, PROBLEM_JSON)


async def _desk_error(_: Request, error: Exception) -> Response:
    if isinstance(error, CallRefused):
        return problem(error.kind, error.detail)
    kind = next((PROBLEMS[cls] for cls in type(error).__mro__ if cls in PROBLEMS), ProblemKind.INTERNAL)
    # What the case file says of itself is the operator's business.
    return problem(kind, None if kind is ProblemKind.INTERNAL else str(error))


async def _http_error(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    # FastAPI answers 400 to a body that is not even text.
    response = (
        problem(ProblemKind.INVALID, "the body cannot be read as JSON") if status == 400 else problem(_kind(status))
    )
    if isinstance(error, HTTPException):
        response.headers.update(error.headers or {})
    return response


def _kind(status: int) -> ProblemKind:
    return _STATUS.get(status, ProblemKind.INTERNAL)


async def _invalid(_: Request, error: Exception) -> Response:
    """A field of an operator's body is wrong: which, and why, and not what it was."""
    first = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": ""}
    place = ".".join(str(part) for part in first["loc"])
    return problem(ProblemKind.INVALID, f"{place}: {first['msg']}"[:500])
