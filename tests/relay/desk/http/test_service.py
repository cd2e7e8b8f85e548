"""The operators' routes about the service (`relay/desk/http/service.py`), asked over HTTP in this process."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from blindrelay.relay.desk.desk import Desk
from blindrelay.relay.desk.errors import DeskError
from blindrelay.relay.desk.http.application import _desk_error
from blindrelay.relay.desk.http.operators import operator_router
from blindrelay.relay.server import Relay
from support import site
from support.clerks import Office, Outside, Script, still_clock
from support.tenants import Tenant


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[Relay]:
    """A relay with a desk."""
    async with site.relay_in(tmp_path / "relay", desk={"enabled": True, "https_port": 0}) as relay:
        yield relay


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Where ada works."""
    (tmp_path / "desk").mkdir()
    office = Office(tmp_path / "desk", still_clock(), Script(), Outside())
    office.found()
    return office.desk()


@pytest.fixture
async def ada(relay: Relay, desk: Desk) -> AsyncIterator[httpx.AsyncClient]:
    """Calls with ada's token."""
    token = desk.operators.add("ada", at=datetime.now(UTC))
    app = FastAPI()
    app.include_router(operator_router(desk, relay.services, relay.tenants))
    app.add_exception_handler(DeskError, _desk_error)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app),
        base_url="https://desk/v1/operator",
        headers={"authorization": f"Bearer {token}"},
    ) as client:
        yield client
    desk.journal.close()


async def test_announce_extend_suspend_resume(ada: httpx.AsyncClient, relay: Relay) -> None:
    """The whole way, by name of who did it."""
    day = datetime.now(UTC) + timedelta(days=30)
    steps: list[tuple[dict[str, object], str]] = [
        ({"action": "suspend", "effective": day.isoformat(), "note": "order 17"}, "noticed"),
        ({"action": "extend", "effective": (day + timedelta(days=30)).isoformat()}, "noticed"),
        ({"action": "suspend"}, "suspended"),
        ({"action": "resume"}, "running"),
    ]
    for body, state in steps:
        answer = await ada.post("/service/pk", json=body)
        assert (answer.status_code, answer.json()["state"]) == (200, state), answer.text

    view = (await ada.get("/service/pk")).json()
    assert [change["made_by"] for change in view["history"]] == ["ada"] * 4
    assert view["history"][0]["note"] == "order 17"
    assert [one["jurisdiction"] for one in (await ada.get("/service")).json()] == ["pk"]
    assert relay.accounts.suspensions.jurisdictions == frozenset()


async def test_what_is_not_possible_is_said(ada: httpx.AsyncClient) -> None:
    """A problem, with the present state and what it allows."""
    answer = await ada.post("/service/pk", json={"action": "resume"})

    assert answer.status_code == 403
    assert "running" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/service/PK", {"action": "suspend"}),
        ("/service/pk", {"action": "close"}),
        ("/service/pk", {"action": "suspend", "effective": "2026-01-01T00:00:00"}),
        ("/service/pk", {"action": "suspend", "for": "ever"}),
        ("/tenants/acme.example/jurisdiction", {}),
    ],
)
async def test_what_is_malformed_changes_nothing(
    ada: httpx.AsyncClient, relay: Relay, path: str, body: dict[str, object]
) -> None:
    """A time without zone, an unknown key, another country's spelling."""
    assert (await ada.post(path, json=body)).status_code == 422
    assert relay.services.views() == []


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer x"}, {"authorization": "Basic YTpi"}])
async def test_nobody_acts_without_a_name(ada: httpx.AsyncClient, relay: Relay, headers: dict[str, str]) -> None:
    """Without a token that is known nothing is shown and nothing is done."""
    ada.headers.pop("authorization")
    for answer in (
        await ada.get("/service", headers=headers),
        await ada.post("/service/pk", json={"action": "suspend"}, headers=headers),
        await ada.post("/tenants/acme.example/jurisdiction", json={"jurisdiction": "pk"}, headers=headers),
        await ada.post("/tenants/acme.example/departure", headers=headers),
    ):
        assert answer.status_code == 401
    assert relay.services.views() == []


async def test_a_tenant_is_moved(ada: httpx.AsyncClient, relay: Relay, tmp_path: Path) -> None:
    """And one that is not registered cannot be."""
    await site.register(relay, Tenant("karachi.example", tmp_path))

    assert (await ada.post("/tenants/karachi.example/jurisdiction", json={"jurisdiction": "pk"})).status_code == 200
    assert (await ada.get("/service/pk")).json()["tenants"] == ["karachi.example"]
    answer = await ada.post("/tenants/nobody.example/jurisdiction", json={"jurisdiction": "pk"})
    assert answer.status_code == 403
    assert "not registered" in answer.json()["detail"]


async def test_a_tenant_is_put_out(ada: httpx.AsyncClient, relay: Relay, tmp_path: Path) -> None:
    """For good, again without harm; and one that is not registered cannot be."""
    await site.register(relay, Tenant("karachi.example", tmp_path))

    for _ in range(2):
        assert (await ada.post("/tenants/karachi.example/departure")).status_code == 200
    assert relay.accounts.tenant("karachi.example") is None
    assert (await ada.post("/tenants/karachi.example/jurisdiction", json={"jurisdiction": "pk"})).status_code == 403
    assert (await ada.post("/tenants/nobody.example/departure")).status_code == 403
