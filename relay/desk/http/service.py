"""What the operator's people do about the service itself: where it stands in each jurisdiction, and which tenant is where."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import AwareDatetime, Field

from blindrelay.policies.request import Jurisdiction
from blindrelay.policies.vocabulary import ServiceAction
from blindrelay.protocol.statements import Wire
from blindrelay.relay.desk.errors import NotAllowed
from blindrelay.relay.desk.service import ServiceStates, ServiceView
from blindrelay.relay.errors import RequestRefused
from blindrelay.relay.tenants import Tenants

Where = Annotated[str, Path(pattern=r"^[a-z]{2}$")]
TenantName = Annotated[str, Path(pattern=r"^[a-z0-9.-]{1,253}$")]


class ServiceMove(Wire):
    """What is to be done. A suspension without `effective`, or with a moment that has come, is one from now on."""

    action: ServiceAction
    effective: AwareDatetime | None = None
    note: Annotated[str, Field(max_length=1_000)] = ""


class Seat(Wire):
    """Where a tenant is at home; None: nobody knows."""

    jurisdiction: Jurisdiction | None


class Gone(Wire):
    """A tenant that has left, at the operator's word: the public log says so."""

    tenant: str


def add_service_routes(router: APIRouter, person: Any, services: ServiceStates, tenants: Tenants) -> None:
    """Add them to the operators' routes. `person` is the annotation that gives the name of who calls."""

    @router.get("/service")
    async def states(operator: person) -> list[ServiceView]:
        del operator
        return services.views()

    @router.get("/service/{jurisdiction}")
    async def state(operator: person, jurisdiction: Where) -> ServiceView:
        del operator
        return services.view(jurisdiction)

    @router.post("/service/{jurisdiction}")
    async def move(operator: person, jurisdiction: Where, body: ServiceMove) -> ServiceView:
        return await services.operate(
            body.action, jurisdiction, operator=operator, effective=body.effective, note=body.note
        )

    @router.post("/tenants/{tenant}/jurisdiction")
    async def seat(operator: person, tenant: TenantName, body: Seat) -> Seat:
        del operator
        try:
            await tenants.move(tenant, body.jurisdiction)
        except RequestRefused as refused:
            raise NotAllowed(refused.reason) from refused
        return body

    @router.post("/tenants/{tenant}/departure")
    async def put_out(operator: person, tenant: TenantName) -> Gone:
        del operator
        try:
            await tenants.put_out(tenant)
        except RequestRefused as refused:
            raise NotAllowed(refused.reason) from refused
        return Gone(tenant=tenant)
