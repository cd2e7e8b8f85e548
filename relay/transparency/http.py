"""The logs over HTTPS, read-only and for everybody, at `/logs/<name>/` (https://c2sp.org/tlog-tiles).

What is below a checkpoint never changes, and says so to caches. Answers come from files; a path is looked up only when it is
the one way to name a tile or bundle that exists.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.entries import Bundle
from blindrelay.protocol.transparency.tiles import CHECKPOINT_PATH, Tile
from blindrelay.relay.threads import in_thread
from blindrelay.relay.transparency.log import Log

PREFIX: Final = "/logs"
_IMMUTABLE: Final = {"cache-control": "public, max-age=31536000, immutable"}
_FRESH: Final = {"cache-control": "no-cache"}
_NOTHING: Final = "there is no such file of a log here: see c2sp.org/tlog-tiles for those that there are\n"


class Reading:
    """Answers for the logs, by name."""

    def __init__(self, logs: Mapping[str, Log]) -> None:
        self._logs = logs

    def routes(self) -> list[Route]:
        """Where what is."""
        return [
            Route(f"{PREFIX}/{{name}}/{CHECKPOINT_PATH}", self.checkpoint, methods=["GET"]),
            Route(f"{PREFIX}/{{name}}/policy", self.policy, methods=["GET"]),
            Route(f"{PREFIX}/{{name}}/{{path:path}}", self.piece, methods=["GET"]),
        ]

    async def checkpoint(self, request: Request) -> Response:
        """The newest checkpoint."""
        log = self._logs.get(request.path_params["name"])
        if log is None or not log.published.note:
            return PlainTextResponse(_NOTHING, 404)
        return Response(log.published.note, headers=_FRESH, media_type="text/plain; charset=utf-8")

    async def policy(self, request: Request) -> Response:
        """What the relay says that its log is to be verified by. Whoever does not trust the relay has it from elsewhere."""
        log = self._logs.get(request.path_params["name"])
        if log is None:
            return PlainTextResponse(_NOTHING, 404)
        return PlainTextResponse(str(log.settings.trust), headers=_FRESH)

    async def piece(self, request: Request) -> Response:
        """A tile or a bundle. A partial one is served for good: whoever has an older checkpoint may read what it covers."""
        log = self._logs.get(request.path_params["name"])
        piece = None if log is None else _parse(request)
        if log is None or piece is None or not piece.exists(log.published.checkpoint.size):
            return PlainTextResponse(_NOTHING, 404)
        try:
            # In a thread: a cold disk does not hold up the messages.
            data = await in_thread(log.shelf.fetch, piece)
        except FileNotFoundError:  # partial at a size that was never published
            return PlainTextResponse(_NOTHING, 404)
        return Response(data, headers=_IMMUTABLE, media_type="application/octet-stream")


def _parse(request: Request) -> Tile | Bundle | None:
    path = request.path_params["path"]
    if b"%" in request.scope["raw_path"]:  # no path of ours needs it, and a cache would have everything twice
        return None
    for kind in (Bundle, Tile):
        try:
            return kind.parse(path)
        except Malformed:
            continue
    return None


def application(logs: Mapping[str, Log], others: Sequence[Route]) -> Starlette:
    """The web application of the logs, and what else is public."""
    app = Starlette(routes=[*Reading(logs).routes(), *others])
    app.router.redirect_slashes = False  # there is one way to name a thing
    return app
