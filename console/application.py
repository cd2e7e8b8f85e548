"""The web application: sign-in, a page for each view, streams, files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates
from starlette.types import ASGIApp

from blindrelay import __version__
from blindrelay.console.access import cookie_name, needs, session_of, signed_in
from blindrelay.console.desktop import Desktop
from blindrelay.console.errors import ConsoleError, sentence
from blindrelay.console.rights import RIGHTS, Right, Role
from blindrelay.console.security import Shield
from blindrelay.console.sessions import SESSION_LIFETIME, NoSuchLink, Session
from blindrelay.console.streams import stream_routes
from blindrelay.console.view import View
from blindrelay.console.views import VIEWS
from blindrelay.protocol.statements import Wire

_HERE: Final = Path(__file__).parent
_TOKEN: Final = Body(embed=True, min_length=1, max_length=200)


class Me(Wire):
    """Who has signed in, and what they may."""

    role: Role
    may: tuple[Right, ...]


class Invitation(Wire):
    """Whom a link is wanted for."""

    role: Role


class Link(Wire):
    """A link, good for one sign-in. `path` goes behind the console's own address."""

    path: str


def application(desktop: Desktop, *, scheme: str, hosts: Sequence[str]) -> ASGIApp:
    """The application, to be served.

    Args:
        scheme: `http` or `https`.
        hosts: under which names it may be asked for. Another name that leads here is somebody's trick (DNS rebinding).
    """
    app = FastAPI(
        title="Blindrelay console",
        version=__version__,
        docs_url=None,  # these load their scripts from elsewhere
        redoc_url=None,
        openapi_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.sessions = desktop.sessions
    pages = _Pages(scheme, is_demonstration=desktop.demonstration is not None)
    app.include_router(pages.sign_in_routes(desktop))
    app.include_router(stream_routes(desktop.channels))
    for view in VIEWS:
        app.include_router(pages.routes(view))
        app.include_router(view.routes(desktop), prefix=f"/api/{view.name}")
    app.mount("/static", _Files(directory=_HERE / "static"))
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ConsoleError, _unable)
    return Shield(TrustedHostMiddleware(app, allowed_hosts=list(hosts), www_redirect=False), scheme)


def sign_in_path(token: str) -> str:
    """Where a link leads. What is behind # stays in the browser: no server, log or referrer sees it."""
    return f"/sign-in#{token}"


class _Files(StaticFiles):
    """Ours alone. A browser asks each time whether one has changed: a new release must not meet old modules."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["cache-control"] = "no-cache"
        return response


class _Pages:
    """The HTML."""

    def __init__(self, scheme: str, *, is_demonstration: bool) -> None:
        self._is_demonstration = is_demonstration
        self._is_secure = scheme == "https"
        self._templates = Jinja2Templates(directory=_HERE / "templates")

    def sign_in_routes(self, desktop: Desktop) -> APIRouter:
        router = APIRouter()

        @router.get("/")
        async def start(request: Request) -> Response:
            session = session_of(request)
            return RedirectResponse("/sign-in" if session is None else f"/{_first(session).name}", 303)

        @router.get("/sign-in")
        async def page(request: Request) -> Response:
            return self._page(request, "sign-in", None)

        @router.post("/sign-in")
        async def sign_in(request: Request, token: Annotated[str, _TOKEN]) -> Response:
            try:
                secret, session = desktop.sessions.sign_in(token)
            except NoSuchLink:
                raise HTTPException(401, "This link has been used, or is too old.") from None
            response = JSONResponse({"start": f"/{_first(session).name}"})
            response.set_cookie(
                cookie_name(request),
                secret,
                max_age=int(SESSION_LIFETIME),
                httponly=True,
                samesite="strict",
                secure=self._is_secure,
            )
            return response

        @router.post("/sign-out")
        async def sign_out(request: Request) -> Response:
            desktop.sessions.sign_out(request.cookies.get(cookie_name(request), ""))
            response = RedirectResponse("/sign-in", 303)
            response.delete_cookie(cookie_name(request))
            return response

        @router.get("/api/me")
        async def me(session: Annotated[Session, Depends(signed_in)]) -> Me:
            return Me(role=session.role, may=tuple(sorted(RIGHTS[session.role])))

        @router.post("/api/links")
        async def invite(invitation: Invitation, session: Annotated[Session, needs(Right.INVITE)]) -> Link:
            if invitation.role not in session.invites or invitation.role not in desktop.roles:
                raise HTTPException(403, f"The role {session.role} does not invite a {invitation.role} here.")
            return Link(path=sign_in_path(desktop.sessions.link(invitation.role)))

        return router

    def routes(self, view: View) -> APIRouter:
        router = APIRouter()

        @router.get(f"/{view.name}", name=view.name)
        async def page(request: Request) -> Response:
            session = session_of(request)
            if session is None:
                return RedirectResponse("/sign-in", 303)
            return self._page(request, view.name if session.may(view.needs) else "not-for-you", session, view)

        return router

    def _page(self, request: Request, name: str, session: Session | None, view: View | None = None) -> Response:
        views = [one for one in VIEWS if session is not None and session.may(one.needs)]
        context = {
            "view": view,
            "views": views,
            "session": session,
            "rights": RIGHTS,
            "may": {right.name: session is not None and session.may(right) for right in Right},
            "demonstration": self._is_demonstration,
            "version": __version__,
        }
        return self._templates.TemplateResponse(request, f"{name}.html", context)


def _first(session: Session) -> View:
    return next(view for view in VIEWS if session.may(view.needs))


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
    return JSONResponse({"detail": error.detail}, error.status_code)


async def _unable(_: Request, error: Exception) -> Response:
    assert isinstance(error, ConsoleError)  # noqa: S101 - what it is registered for
    return JSONResponse({"detail": sentence(error)}, 409)


async def _invalid(_: Request, error: Exception) -> Response:
    """A field is wrong: which, and why, and not what it was."""
    first = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": ""}
    place = ".".join(str(part) for part in first["loc"][1:])
    return JSONResponse({"detail": f"{place}: {first['msg']}"[:500]}, 422)
