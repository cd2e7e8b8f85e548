"""Operate: how the relay is doing."""

from typing import Annotated, Any, Final

from fastapi import APIRouter

from blindrelay.console.access import needs
from blindrelay.console.desk_people import DeskPeople
from blindrelay.console.desktop import Desktop
from blindrelay.console.errors import ConsoleError, sentence
from blindrelay.console.rights import Right
from blindrelay.console.sessions import Session
from blindrelay.console.view import View

# Cases whose orders are looked at; each is a call to the desk.
_LOOKED_INTO: Final = 20
Watcher = Annotated[Session, needs(Right.SEE_SERVICE)]


def routes(desktop: Desktop) -> APIRouter:
    """What the page asks for."""
    router = APIRouter()
    desk = DeskPeople(desktop)

    @router.get("/status")
    async def status(session: Watcher) -> dict[str, Any]:
        """The relay's status now, and how it was over the last minutes while somebody looked on."""
        del session
        return desktop.operations.look()

    @router.get("/tenants")
    async def tenants(session: Watcher) -> list[dict[str, Any]]:
        """Who is registered, and where they are at home."""
        del session
        return await desktop.operations.tenants()

    @router.get("/desk")
    async def at_the_desk(session: Watcher) -> dict[str, Any]:
        """The service in each jurisdiction in which anything was done, the orders that are in force, and the cases that wait
        for somebody; or a reason."""
        del session
        try:
            line = desk.line()
            cases, service = await line.get("/cases"), await line.get("/service")
            orders = [order for case in _granted(cases) for order in in_force(await line.get(f"/cases/{case}"))]
        except ConsoleError as error:
            return {"reason": sentence(error)}
        return {
            "reason": "",
            "service": service,
            "orders": orders,
            "open": len(cases),
            "waiting": [{"case": one["case_id"], "waits_for": one["waits_for"]} for one in cases if one["waits_for"]],
        }

    return router


def _granted(cases: list[dict[str, Any]]) -> list[str]:
    """Which cases may have an order in force, the newest of them."""
    found = [one["case_id"] for one in cases if {outcome for _, outcome in one["outcomes"]} & {"granted", "narrowed"}]
    return found[-_LOOKED_INTO:]


def in_force(case: dict[str, Any]) -> list[dict[str, Any]]:
    """The real-time orders and preservations of a case that run."""
    decided = {one["demand_id"]: one for one in (case["decision"] or {"demands": []})["demands"]}
    found = []
    for demand in case["view"]["demands"]:
        if demand["stream_is_active"]:
            found.append(("records as they arise", decided[demand["demand_id"]]["stream"]["end"]))
        if demand["preserved_until"]:
            found.append(("records are kept from deletion", demand["preserved_until"]))
    summary = case["summary"]
    return [
        {"authority": summary["authority_id"], "instrument": summary["instrument"], "what": what, "until": until}
        for what, until in found
    ]


VIEW: Final = View(
    name="operate",
    title="Operate",
    summary="How the relay is doing: messages, commits, connections, what waits, and who is there.",
    needs=Right.SEE_SERVICE,
    routes=routes,
)
