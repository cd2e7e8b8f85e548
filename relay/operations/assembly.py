"""The operations endpoint, put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from blindrelay.relay.config import Settings
from blindrelay.relay.operations.view import View


@asynccontextmanager
async def open_operations(view: View, settings: Settings) -> AsyncIterator[int | None]:
    """Serve it, in plain HTTP; yields the port, None where it is switched off. Raises `AddressInUse`."""
    if not settings.operations.enabled:
        yield None
        return
    from blindrelay.relay.https import HttpsServer, ServerLimits  # noqa: PLC0415 - loads a web server
    from blindrelay.relay.operations.http import application  # noqa: PLC0415 - likewise
    from blindrelay.relay.operations.metrics import exposition  # noqa: PLC0415 - and a metrics library

    server = HttpsServer(
        application(view, exposition(view)), ServerLimits(), "the operations endpoint", "http_port below [operations]"
    )
    port = await server.start(settings.operations.host, settings.operations_port)
    try:
        yield port
    finally:
        await server.stop()
