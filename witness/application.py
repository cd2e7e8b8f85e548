"""HTTP: what a log asks (`add-checkpoint`), and what anybody may read (https://c2sp.org/tlog-witness).

| request                           | answer                                                   |
|-----------------------------------|----------------------------------------------------------|
| `POST /add-checkpoint`            | the witness's cosignatures, one a line                   |
| `GET /<origin hash>/checkpoint`   | the last checkpoint of that log that was cosigned        |
| `GET /key`                        | the witness's verifier keys, the newest last             |
| `GET /`                           | which logs it knows, for people                          |
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import Final, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.submission import MAX_SUBMISSION, PATH, SIZE_MEDIA_TYPE, encode_cosignatures
from blindrelay.witness.cosigning import Cosigner
from blindrelay.witness.errors import Conflict, NotProved, NotSigned, Refused, SplitView, UnknownLog, Unreadable
from blindrelay.witness.folder import Folder, origin_hash

#: For the body of a submission: it has some kilobytes.
BODY_SECONDS: Final = 10.0
STATUS: Final[dict[type[Exception], int]] = {
    Malformed: 400,
    NotSigned: 403,
    UnknownLog: 404,
    Conflict: 409,
    SplitView: 409,
    NotProved: 422,
    Unreadable: 500,
}
#: What is told of each submission: what became of it (`cosigned` or the kind of error), and what is known of it.
Report = Callable[[str, dict[str, object]], None]
_Result = TypeVar("_Result")


class WitnessApplication:
    """Answers requests. `report` is told what becomes of submissions; of who asks, nothing."""

    def __init__(self, folder: Folder, cosigner: Cosigner, executor: Executor, report: Report) -> None:
        self._folder = folder
        self._cosigner = cosigner
        self._executor = executor
        self._report = report

    def asgi(self) -> Starlette:
        """The application."""
        return Starlette(
            routes=[
                Route(PATH, self._add_checkpoint, methods=["POST"]),
                Route("/{digest}/checkpoint", _guarded(self._checkpoint), methods=["GET"]),
                Route("/key", self._key, methods=["GET"]),
                Route("/", _guarded(self._index), methods=["GET"]),
            ]
        )

    async def _in_thread(self, call: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._executor, call)

    async def _add_checkpoint(self, request: Request) -> Response:
        body = await _body(request)
        try:
            head, signatures = await self._in_thread(lambda: self._cosigner.submit(body))
        except (Malformed, Refused, Unreadable, OSError) as error:
            return self._refusal(error)
        self._report("cosigned", {"origin": head.origin, "size": head.size, "root": head.root.hex()})
        return _text(encode_cosignatures(signatures))

    def _refusal(self, error: Exception) -> Response:
        self._report(type(error).__name__, {"reason": str(error)})
        if isinstance(error, Conflict):
            # As a header, because Starlette would give every `text/` a character set.
            return Response(f"{error.known}\n", STATUS[type(error)], headers={"content-type": SIZE_MEDIA_TYPE})
        return _problem(error)

    async def _checkpoint(self, request: Request) -> Response:
        log = await self._in_thread(lambda: self._folder.log_at(request.path_params["digest"]))
        last = await self._in_thread(lambda: self._folder.last(log))
        if not last.submitted:
            raise UnknownLog(f"{log.origin} has not asked this witness yet")
        return _text(last.note.encode())

    async def _key(self, _request: Request) -> Response:
        return _text("".join(f"{key.verifier}\n" for key in self._folder.keys).encode())

    async def _index(self, _request: Request) -> Response:
        return _text((await self._in_thread(self._describe)).encode())

    def _describe(self) -> str:
        lines = ["A witness of public logs: https://c2sp.org/tlog-witness", ""]
        lines += [f"key {key.verifier}" for key in self._folder.keys]
        for log in self._folder.logs():
            size = self._folder.last(log).head.size
            lines += ["", f"log {log.origin}", f"  {size} entries: /{origin_hash(log.origin)}/checkpoint"]
        return "\n".join([*lines, ""])


def _guarded(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except (Refused, Unreadable, OSError) as error:
            return _problem(error)

    return answer


async def _body(request: Request) -> bytes:
    """The body of a request, if it is not too long and does not take too long."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_SUBMISSION:
                    raise HTTPException(413, f"a submission has {MAX_SUBMISSION} bytes at most")
    except TimeoutError as error:
        raise HTTPException(408, f"a submission arrives within {BODY_SECONDS:g} seconds") from error
    except ClientDisconnect as error:
        raise HTTPException(400, "the connection was closed") from error
    return bytes(body)


def _text(body: bytes) -> Response:
    return PlainTextResponse(body, headers={"cache-control": "no-store"})


def _problem(error: Exception) -> Response:
    status = STATUS.get(type(error), 500)
    # What is wrong on this machine is for its operator, who has it in the report.
    reason = str(error) if status < 500 else "this witness cannot use what it keeps; nothing was signed"
    return PlainTextResponse(f"{reason}\n", status)
