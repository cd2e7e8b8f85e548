"""Demand: an authority asks, the desk answers, two persons approve, and what is given is looked at."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field

from blindrelay.console import policy_files
from blindrelay.console.access import needs
from blindrelay.console.desk_people import DeskPeople
from blindrelay.console.desktop import Desktop
from blindrelay.console.errors import ConsoleError, sentence
from blindrelay.console.rights import Right
from blindrelay.console.sessions import Session
from blindrelay.console.view import View
from blindrelay.policies.exchange import DemandId
from blindrelay.policies.request import Name, Text
from blindrelay.policies.vocabulary import Capability, DataClass, Mode
from blindrelay.protocol.statements import Wire

if TYPE_CHECKING:
    from blindrelay.console.petitions import Petitions

Reader = Annotated[Session, needs(Right.SEE_CASES)]
Decider = Annotated[Session, needs(Right.DECIDE)]
Asker = Annotated[Session, needs(Right.DEMAND)]


class CaseOpened(Wire):
    """The number of a case."""

    case: str


class Review(Wire):
    """Somebody at the desk approves a demand as it is granted, or refuses it. `person`: who; None: whose token it is."""

    demand_id: DemandId
    person: Name | None = None
    reason: Annotated[Text | None, Field(description="why not")] = None


class Chosen(Wire):
    """Which demand."""

    demand_id: DemandId


def routes(desktop: Desktop) -> APIRouter:
    """What the page asks for."""
    router = APIRouter()
    _add_desk(router, desktop)
    _add_asking(router, desktop)

    @router.get("/policies")
    async def policy(session: Reader, location: Annotated[str, Query(max_length=200)]) -> policy_files.PolicyShown:
        """A policy in its file, as a decision names it."""
        del session
        return policy_files.show(location)

    return router


def _add_desk(router: APIRouter, desktop: Desktop) -> None:
    desk = DeskPeople(desktop)

    @router.get("/cases")
    async def cases(session: Reader) -> dict[str, Any]:
        """Everybody at the desk who may act here, and the cases, the newest first; or the reason why there are none."""
        del session
        try:
            found = await desk.line().get("/cases?closed=true")
        except ConsoleError as error:
            return {"people": [], "cases": [], "reason": sentence(error)}
        return {"people": desk.people, "cases": list(reversed(found)), "reason": ""}

    @router.get("/cases/{case_id}")
    async def case(case_id: UUID, session: Reader) -> dict[str, Any]:
        """Everything about a case: request, decision, letter, approvals, history."""
        del session
        return _mapping(await desk.line().get(f"/cases/{case_id}"))

    @router.post("/cases/{case_id}/approvals")
    async def approve(case_id: UUID, review: Review, session: Decider) -> dict[str, Any]:
        """A person approves a demand. The last approval that it takes releases it."""
        del session
        line = desk.line(review.person)
        return _mapping(await line.post(f"/cases/{case_id}/approvals", {"demand_id": review.demand_id}))

    @router.post("/cases/{case_id}/rejections")
    async def reject(case_id: UUID, review: Review, session: Decider) -> dict[str, Any]:
        """A person refuses what the policies would grant."""
        del session
        body = {"demand_id": review.demand_id, "reason": review.reason or "no reason was stated"}
        return _mapping(await desk.line(review.person).post(f"/cases/{case_id}/rejections", body))


def _add_asking(router: APIRouter, desktop: Desktop) -> None:
    if desktop.demonstration is None:
        return
    from blindrelay.console.asking import Asking  # noqa: PLC0415 - with the clients' packages

    demonstration = desktop.demonstration
    petitions: Petitions = demonstration.petitions

    @router.get("/form")
    async def form(session: Asker) -> dict[str, Any]:
        """What can be filled in."""
        del session
        return {
            "seats": [
                {"id": seat.id, "title": seat.title, "jurisdiction": seat.jurisdiction, "kind": seat.kind.value}
                for seat in demonstration.bench.seats.values()
            ],
            "instruments": [
                {
                    "id": instrument.id,
                    "title": instrument.title,
                    "basis": instrument.legal_basis,
                    "issuers": [kind.value for kind in instrument.issuers],
                    "modes": [mode.value for mode in instrument.modes],
                    "reach": [one.value for one in instrument.reach],
                }
                for pack in demonstration.policies.packs.values()
                for instrument in pack.manifest.instruments
            ],
            "classes": [one.value for one in DataClass],
            "modes": [mode.value for mode in (Mode.STORED, Mode.PRESERVE, Mode.STREAM)],
            "capabilities": [one.value for one in Capability],
            "targets": demonstration.targets,
        }

    @router.post("/requests")
    async def ask(asking: Asking, session: Asker) -> CaseOpened:
        """Sign a request as one of the demonstration's authorities, and hand it in at the desk."""
        del session
        return CaseOpened(case=await petitions.ask(asking))

    @router.post("/cases/{case_id}/packages")
    async def package(case_id: UUID, chosen: Chosen, session: Asker) -> dict[str, Any]:
        """Fetch the sealed package of a demand, verify it, and open it with the authority's key."""
        del session
        return await petitions.open(case_id, chosen.demand_id)

    @router.post("/cases/{case_id}/streams", status_code=204)
    async def follow(case_id: UUID, chosen: Chosen, session: Asker) -> None:
        """Follow a real-time order: what arises comes in the stream `authority`."""
        del session
        petitions.follow(case_id, chosen.demand_id)


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


VIEW: Final = View(
    name="demand",
    title="Demand",
    summary="Ask as an authority does, and read what the relay answers, and why.",
    needs=Right.SEE_CASES,
    routes=routes,
)
