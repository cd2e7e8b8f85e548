"""From a scenario's demand to the document that an authority signs."""

from datetime import datetime
from uuid import UUID

from blindrelay.policies.request import (
    Approval,
    Authorisation,
    CapabilityDemand,
    DataDemand,
    DeliveryType,
    Demand,
    LawfulRequest,
    NonDisclosure,
    ServiceDemand,
    Target,
    TargetFormat,
    Timespan,
)
from blindrelay.policies.scenarios import steps, world
from blindrelay.policies.vocabulary import Mode, Scope

_SCOPES = {
    TargetFormat.USER: Scope.ACCOUNTS,
    TargetFormat.DEVICE: Scope.ACCOUNTS,
    TargetFormat.TENANT: Scope.TENANT,
    TargetFormat.ALL_USERS: Scope.ALL_USERS,
}


def target(value: str) -> Target:
    """What a name means: `*`, `a/b/c`, `a@b` or `b`."""
    if value == "*":
        return Target(format=TargetFormat.ALL_USERS, value=value)
    if "/" in value:
        return Target(format=TargetFormat.DEVICE, value=value)
    return Target(format=TargetFormat.USER if "@" in value else TargetFormat.TENANT, value=value)


def draft(  # noqa: PLR0913 - each is another part of the document
    demand: steps.Demand,
    instrument: world.Instrument,
    authority: world.Authority,
    *,
    sender: str,
    receiver: str,
    request_id: UUID,
    now: datetime,
    cases: dict[str, str],
) -> LawfulRequest:
    """The request.

    Args:
        sender, receiver: the authority's id and the relay's.
        cases: the relay's id of each case of the scenario, for what continues an earlier demand.
    """
    return LawfulRequest(
        id=request_id,
        sender=sender,
        officer=demand.officer or authority.officers[0],
        receiver=receiver,
        timestamp=now,
        authorisation=authorisation(instrument),
        demands=tuple(_demand(ask, cases) for ask in demand.asks),
    )


def authorisation(instrument: world.Instrument) -> Authorisation:
    """The instrument as the request has it."""
    span = _timespan(instrument.valid)
    secret = instrument.non_disclosure
    return Authorisation(
        reference=instrument.reference,
        instrument=instrument.id,
        jurisdiction=instrument.id.partition("/")[0],
        timespan=span,
        approvals=_approvals(instrument),
        urgency=instrument.urgency,
        non_disclosure=None if secret is None else NonDisclosure(legal_basis=secret.legal_basis, until=secret.until),
        purpose=instrument.purpose,
        offence_max_years=instrument.offence_max_years,
        enforcing_authority_notified=instrument.enforcing_authority_notified,
        harm_to_investigation=instrument.harm_to_investigation,
        emergency_grounds=instrument.emergency_grounds,
        mutual_assistance_reference=instrument.mutual_assistance_reference,
    )


def _approvals(instrument: world.Instrument) -> list[Approval]:
    issued_by = instrument.issued_by
    issuers = (
        issued_by
        if isinstance(issued_by, tuple)
        else (world.Issuer(role=issued_by, name=f"the {issued_by.value.replace('-', ' ')}"),)
    )
    return [
        Approval(
            role=issuer.role,
            name=issuer.name,
            reference=issuer.reference or instrument.reference,
            timestamp=issuer.at or instrument.valid.start,
            is_emergency=issuer.emergency,
        )
        for issuer in issuers
    ]


def _timespan(span: world.Span) -> Timespan:
    return Timespan(start=span.start, end=span.until)


def _demand(ask: steps.Ask, cases: dict[str, str]) -> Demand:
    match ask:
        case steps.CapabilityAsk():
            return CapabilityDemand(id=ask.id, capability=ask.capability, scope=ask.scope, description=ask.description)
        case steps.ServiceAsk():
            return ServiceDemand(
                id=ask.id,
                action=ask.service,
                jurisdiction=ask.jurisdiction,
                effective=ask.effective,
                addressee=ask.addressee,
            )
    targets = tuple(target(value) for value in ask.targets)
    delivery = ask.delivery_type or (DeliveryType.IRI_ONLY if ask.mode is Mode.STREAM else None)
    return DataDemand(
        id=ask.id,
        classes=ask.classes,
        mode=ask.mode,
        # The widest of its targets: a demand that names accounts and an enterprise is no demand about accounts.
        scope=max((_SCOPES[one.format] for one in targets), key=list(Scope).index),
        targets=targets,
        window=_timespan(ask.window),
        delivery_type=delivery,
        continues=None if ask.continues is None else _continued(ask.continues, cases),
    )


def _continued(name: str, cases: dict[str, str]) -> str:
    case, _, demand = name.partition("/")
    return f"{cases[case]}/{demand}"
