"""What a page of somebody else's can do with a console on the same machine: nothing."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from blindrelay.console.application import application
from blindrelay.console.desktop import Desktop
from blindrelay.console.rights import RIGHTS, Role
from blindrelay.console.security import HEADERS
from blindrelay.console.server import LOOPBACK
from blindrelay.console.streams import STREAMS
from blindrelay.console.views import VIEWS

OURS = "http://127.0.0.1:8887"


@pytest.fixture
def desktop(tmp_path: Path) -> Desktop:
    """A console's own things; nothing looks at a relay."""
    return Desktop(tmp_path, roles=tuple(Role))


@pytest.fixture
async def http(desktop: Desktop) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who asks."""
    app = application(desktop, scheme="http", hosts=LOOPBACK)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=OURS) as http:
        yield http


async def _sign_in(http: httpx.AsyncClient, desktop: Desktop, role: Role) -> httpx.Response:
    answer = await http.post("/sign-in", json={"token": desktop.sessions.link(role)}, headers={"origin": OURS})
    assert answer.status_code == 200
    return answer


@pytest.mark.parametrize("path", ["/", "/sign-in", "/live", "/static/console.css", "/static/none", "/none", "/api/me"])
async def test_every_answer_is_shielded(http: httpx.AsyncClient, path: str) -> None:
    """Pages, files, errors: the browser is told to take nothing from elsewhere."""
    answer = await http.get(path)
    assert {name: answer.headers[name] for name, _ in HEADERS} == dict(HEADERS)
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "cache-control" in answer.headers


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "192.0.2.1"])
async def test_name_of_somebody_elses_is_not_served(http: httpx.AsyncClient, host: str) -> None:
    """DNS rebinding: a foreign name that leads to this machine."""
    answer = await http.get("/sign-in", headers={"host": host})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "origin", [None, "null", "http://127.0.0.1:9999", "https://127.0.0.1:8887", "http://evil.example"]
)
async def test_change_is_asked_for_by_our_own_pages_alone(
    http: httpx.AsyncClient, desktop: Desktop, origin: str | None
) -> None:
    """Another port of this machine is somebody else's; the cookie would go along, and does not help."""
    await _sign_in(http, desktop, Role.OPERATOR)
    headers = {} if origin is None else {"origin": origin}
    answer = await http.post("/api/links", json={"role": "auditor"}, headers=headers)
    assert answer.status_code == 403
    token = desktop.sessions.link(Role.OPERATOR)
    assert (await http.post("/sign-in", json={"token": token}, headers=headers)).status_code == 403
    desktop.sessions.sign_in(token)  # it has not been used up


async def test_cookie_is_out_of_reach(http: httpx.AsyncClient, desktop: Desktop) -> None:
    """No script reads it, no other site sends it, and another console's is another one."""
    answer = await _sign_in(http, desktop, Role.AUDITOR)
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith("blindrelay-console-8887=")
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


async def test_nothing_without_signing_in(http: httpx.AsyncClient) -> None:
    """Pages lead to the sign-in, everything else says no."""
    for view in VIEWS:
        answer = await http.get(f"/{view.name}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    for path in ("/api/me", *(f"/events/{name}" for name in STREAMS)):
        assert (await http.get(path)).status_code == 401


@pytest.mark.parametrize("role", list(Role))
async def test_streams_are_for_whom_they_are_for(http: httpx.AsyncClient, desktop: Desktop, role: Role) -> None:
    """A stream of what one may not see is refused before its first byte."""
    await _sign_in(http, desktop, role)
    desktop.channels.close()  # or those that are allowed would go on
    for name, right in STREAMS.items():
        is_allowed = right is None or right in RIGHTS[role]
        assert (await http.get(f"/events/{name}")).status_code == (200 if is_allowed else 403)


async def test_invitation_does_not_lead_higher(http: httpx.AsyncClient, desktop: Desktop) -> None:
    """An operator makes no demonstrator, and an auditor nobody."""
    await _sign_in(http, desktop, Role.OPERATOR)
    answer = await http.post("/api/links", json={"role": "auditor"}, headers={"origin": OURS})
    assert answer.json()["path"].startswith("/sign-in#")
    refused = await http.post("/api/links", json={"role": "demonstrator"}, headers={"origin": OURS})
    assert refused.status_code == 403
    await _sign_in(http, desktop, Role.AUDITOR)
    assert (await http.post("/api/links", json={"role": "auditor"}, headers={"origin": OURS})).status_code == 403


async def test_error_does_not_repeat_what_was_sent(http: httpx.AsyncClient) -> None:
    """Not even a token of the wrong form."""
    answer = await http.post("/sign-in", json={"token": "s3cret" * 100}, headers={"origin": OURS})
    assert answer.status_code == 422
    assert "s3cret" not in answer.text


async def test_sign_out(http: httpx.AsyncClient, desktop: Desktop) -> None:
    """The session ends at the console, not in the browser alone."""
    await _sign_in(http, desktop, Role.AUDITOR)
    kept = "; ".join(f"{name}={value}" for name, value in http.cookies.items())
    await http.post("/sign-out", headers={"origin": OURS})
    assert (await http.get("/api/me", headers={"cookie": kept})).status_code == 401
