"""Who asks: the session of a request, and what it may."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from fastapi import Depends
from starlette.exceptions import HTTPException
from starlette.requests import Request

from blindrelay.console.rights import Right
from blindrelay.console.sessions import Session, Sessions

SIGNED_OUT: Final = "You are not signed in: open a sign-in link of this console."


def cookie_name(request: Request) -> str:
    """Cookies do not know of ports, and two consoles may run on one machine: each has its own."""
    return f"blindrelay-console-{request.url.port or 0}"


def sessions_of(request: Request) -> Sessions:
    """The console's."""
    sessions: Sessions = request.app.state.sessions
    return sessions


def session_of(request: Request) -> Session | None:
    """Who asks, if they have signed in."""
    return sessions_of(request).find(request.cookies.get(cookie_name(request), ""))


def signed_in(request: Request) -> Session:
    """Who asks; answered with 401 when nobody has signed in."""
    session = session_of(request)
    if session is None:
        raise HTTPException(401, SIGNED_OUT)
    return session


def needs(right: Right) -> Any:
    """A dependency: the session of somebody who has `right`; answered with 403 when they have not."""
    return Depends(_check(right))


def _check(right: Right) -> Callable[[Request], Awaitable[Session]]:
    async def check(request: Request) -> Session:
        session = signed_in(request)
        if not session.may(right):
            raise HTTPException(403, f"The role {session.role} may not {right.value}.")
        return session

    return check
