"""The streams: one for each point of view, as server-sent events (HTML standard, 9.2)."""

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from fastapi.sse import EventSourceResponse, ServerSentEvent

from blindrelay.console.access import needs, signed_in
from blindrelay.console.channels import Channel, Channels
from blindrelay.console.rights import Right
from blindrelay.console.sessions import Session

#: Which right each stream takes; the status takes none but to have signed in.
STREAMS: Final[Mapping[str, Right | None]] = {
    "status": None,
    "clients": Right.SEE_CLIENTS,
    "relay": Right.SEE_RELAY,
    "authority": Right.SEE_AUTHORITY,
}
# How soon a browser tries again when the console has gone away. Milliseconds.
_RETRY: Final = 1_000


def stream_routes(channels: Channels) -> APIRouter:
    """`/events/<name>` for each of them."""
    router = APIRouter(prefix="/events")
    for name, right in STREAMS.items():
        who = Depends(signed_in) if right is None else needs(right)
        router.add_api_route(
            f"/{name}", _stream(getattr(channels, name), who), response_class=EventSourceResponse, name=name
        )
    return router


def _stream(channel: Channel, who: Any) -> Any:
    async def stream(session: Annotated[Session, who]) -> AsyncIterator[ServerSentEvent]:
        del session
        async for frame in channel.frames():
            yield ServerSentEvent(raw_data=frame, retry=_RETRY)

    return stream
