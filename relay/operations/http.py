"""The endpoint's four answers. All of them are for reading; nothing can be done to the relay here."""

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from blindrelay.relay.operations.report import report
from blindrelay.relay.operations.view import View

_FRESH = {"cache-control": "no-store"}
# https://prometheus.io/docs/instrumenting/exposition_formats/
_TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"


class Endpoint:
    """Answers about one relay. `exposition` writes down its metrics."""

    def __init__(self, view: View, exposition: Callable[[], bytes]) -> None:
        self._view = view
        self._exposition = exposition

    async def healthz(self, _: Request) -> Response:
        """Whether the process does what it is for: it answers, so its loop turns. One that is not is to be started again."""
        return PlainTextResponse("ok\n", headers=_FRESH)

    async def readyz(self, _: Request) -> Response:
        """Whether clients may be sent here: 503 with the reason while it stops, or while its store does not answer."""
        fault = await self._view.unready()
        body = {"ready": fault is None, "fault": fault}
        return JSONResponse(body, 200 if fault is None else 503, headers=_FRESH)

    async def status(self, _: Request) -> Response:
        """Everything that `blindrelay status` shows."""
        found = await report(self._view)
        return Response(found.model_dump_json(), headers=_FRESH, media_type="application/json")

    async def metrics(self, _: Request) -> Response:
        """The text format of Prometheus."""
        return Response(self._exposition(), headers=_FRESH | {"content-type": _TEXT_FORMAT})


def application(view: View, exposition: Callable[[], bytes]) -> Starlette:
    """The web application of the endpoint."""
    endpoint = Endpoint(view, exposition)
    app = Starlette(
        routes=[
            Route("/healthz", endpoint.healthz, methods=["GET"]),
            Route("/readyz", endpoint.readyz, methods=["GET"]),
            Route("/status", endpoint.status, methods=["GET"]),
            Route("/metrics", endpoint.metrics, methods=["GET"]),
        ]
    )
    app.router.redirect_slashes = False
    return app
