"""What the operator's own people do, over HTTPS: look at cases, approve, reject, write down what happened.

Every call carries the token of a named person (`Authorization: Bearer ...`). What is refused raises a `DeskError`, which the
application turns into a problem (RFC 9457).
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import Field

from blindrelay.policies.exchange import DemandId
from blindrelay.policies.request import Name, Text
from blindrelay.policies.vocabulary import EventKind
from blindrelay.protocol.statements import Wire
from blindrelay.relay.desk.desk import Desk
from blindrelay.relay.desk.errors import UnknownOperator
from blindrelay.relay.desk.http.service import add_service_routes
from blindrelay.relay.desk.ports import Making
from blindrelay.relay.desk.service import ServiceStates
from blindrelay.relay.desk.views import CaseDetail, CaseSummary, OrderList
from blindrelay.relay.tenants import Tenants

PREFIX: Final = "/v1/operator"
_BEARER: Final = HTTPBearer(auto_error=False, scheme_name="operator", description="the token of a person at the desk")


class DemandChosen(Wire):
    """Which demand of the case."""

    demand_id: DemandId


class Rejection(Wire):
    """A demand is refused by a person, though the policies would grant it."""

    demand_id: DemandId
    reason: Text


class CallBackMade(Wire):
    """What was said on the number of our own register."""

    confirmed: bool


class Occurrence(Wire):
    """Something happened that the policies know of."""

    kind: EventKind
    demand_id: DemandId | None = None
    note: Annotated[str, Field(max_length=1_000)] = ""


class Me(Wire):
    """Whose token it was."""

    name: Name


class LetterText(Wire):
    """The answer that the authority gets, in sentences."""

    letter: str


def operator_router(desk: Desk, services: ServiceStates | None = None, tenants: Tenants | None = None) -> APIRouter:
    """The routes below `/v1/operator`; those about the service itself where there is one to act on."""
    router = APIRouter(prefix=PREFIX, tags=["operators"])
    person = Annotated[str, Depends(_who(desk))]

    @router.get("/me")
    async def me(operator: person) -> Me:
        return Me(name=operator)

    @router.get("/cases")
    async def list_cases(operator: person, closed: bool = False) -> list[CaseSummary]:
        del operator
        return desk.list_cases(all_cases=closed)

    @router.get("/cases/{case_id}")
    async def show(operator: person, case_id: UUID) -> CaseDetail:
        del operator
        return desk.show(str(case_id))

    @router.get("/cases/{case_id}/letter")
    async def letter(operator: person, case_id: UUID) -> LetterText:
        del operator
        return LetterText(letter=desk.show(str(case_id)).view.letter)

    @router.get("/cases/{case_id}/making")
    async def making(operator: person, case_id: UUID) -> dict[str, Making]:
        del operator
        return desk.making(str(case_id))

    @router.post("/cases/{case_id}/approvals")
    async def approve(operator: person, case_id: UUID, body: DemandChosen) -> CaseDetail:
        return await desk.approve(operator, str(case_id), body.demand_id)

    @router.post("/cases/{case_id}/rejections")
    async def reject(operator: person, case_id: UUID, body: Rejection) -> CaseDetail:
        return await desk.reject(operator, str(case_id), body.demand_id, body.reason)

    @router.post("/cases/{case_id}/call-backs")
    async def call_back(operator: person, case_id: UUID, body: CallBackMade) -> CaseDetail:
        return await desk.call_back(operator, str(case_id), confirmed=body.confirmed)

    @router.post("/cases/{case_id}/events")
    async def event(operator: person, case_id: UUID, body: Occurrence) -> CaseDetail:
        return await desk.event(operator, str(case_id), body.kind, body.demand_id, body.note)

    @router.get("/order-lists")
    async def order_lists(operator: person) -> list[OrderList]:
        del operator
        return desk.order_lists()

    if services is not None and tenants is not None:
        add_service_routes(router, person, services, tenants)
    return router


def _who(desk: Desk) -> Callable[[HTTPAuthorizationCredentials | None], Awaitable[str]]:
    async def who(given: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> str:
        if given is None:
            raise UnknownOperator
        return desk.operators.authenticate(given.credentials)

    return who
