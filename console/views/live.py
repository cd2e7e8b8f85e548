"""Live: the same message, three times. What is shown comes by the three streams; here is what one can ask for besides."""

from typing import Annotated, Final

from fastapi import APIRouter, Path
from starlette.exceptions import HTTPException
from starlette.responses import Response

from blindrelay.console.access import needs
from blindrelay.console.cast.lines import Direction
from blindrelay.console.desktop import Desktop
from blindrelay.console.rights import Right
from blindrelay.console.sessions import Session
from blindrelay.console.view import View
from blindrelay.protocol.statements import Wire

MessageId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]


class Envelope(Wire):
    """An envelope, whole."""

    hex: str


def routes(desktop: Desktop) -> APIRouter:
    """What the page asks for."""
    router = APIRouter()

    @router.get("/envelopes/{message_id}")
    async def envelope(message_id: MessageId, session: Annotated[Session, needs(Right.SEE_RELAY)]) -> Envelope:
        """An envelope that waits, or did a moment ago: every byte of it, sealed."""
        del session
        found = desktop.tail.envelope(bytes.fromhex(message_id))
        if found is None:
            raise HTTPException(404, "This envelope is gone, and the console does not remember it either.")
        return Envelope(hex=found.hex())

    @router.post("/direction", status_code=204)
    async def direct(direction: Direction, session: Annotated[Session, needs(Right.DIRECT)]) -> Response:
        """Pause, pace, posture, or words that are to be said next."""
        del session
        if desktop.demonstration is None:
            raise HTTPException(409, "There are no people here to direct: this relay is not a demonstration.")
        await desktop.demonstration.cast.direct(direction)
        return Response(status_code=204)

    return router


VIEW: Final = View(
    name="live",
    title="Live",
    summary="The same messages as the people, the relay and an authority have them.",
    needs=Right.SEE_RELAY,
    routes=routes,
)
