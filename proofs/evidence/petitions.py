"""Everything that an authority could ask for under an instrument, as it would sign it: for each instrument of each pack."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from blindrelay.policies.manifest import Instrument
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
from blindrelay.policies.vocabulary import (
    METADATA,
    AuthorityKind,
    Capability,
    DataClass,
    Mode,
    Purpose,
    Scope,
    ServiceAction,
    Urgency,
)

_HOUR: Final = timedelta(hours=1)
#: How long real-time orders run: the run is over before, and its clock is moved beyond it. Seconds.
STREAM_SECONDS: Final = 3_600
_TERM_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Situation:
    """Who asks whom about whom, and when.

    Attributes:
        target: a user of the jurisdiction; `device`: one of the user's.
        tenant: the user's enterprise.
        since: from when on what is stored is asked for: not from the beginning, so that there is something outside.
    """

    authority: str
    officer: str
    relay: str
    target: str
    device: str
    tenant: str
    since: datetime
    now: datetime


def petitions(instrument: Instrument, issuer: AuthorityKind, situation: Situation) -> Iterator[LawfulRequest]:
    """Two requests: for data and about the service, and that something be built. Every reason is stated that there is."""
    yield _request(instrument, issuer, situation, (*_data(situation), *_service(instrument, situation)))
    yield _request(instrument, issuer, situation, tuple(_capabilities()))


def identification(
    instrument: Instrument, issuer: AuthorityKind, situation: Situation, *, is_test: bool
) -> LawfulRequest:
    """Who somebody is, by one of their devices. `is_test`: it says of itself that it is a test."""
    demand = DataDemand(
        id="device",
        classes=METADATA,
        mode=Mode.STORED,
        scope=Scope.ACCOUNTS,
        targets=(Target(format=TargetFormat.DEVICE, value=situation.device),),
        window=Timespan(start=situation.since, end=situation.now),
    )
    document = _request(instrument, issuer, situation, (demand,))
    stated = document.authorisation.model_copy(update={"purpose": Purpose.IDENTIFY, "is_test": is_test})
    return document.model_copy(update={"authorisation": stated})


def emergency(instrument: Instrument, issuer: AuthorityKind, situation: Situation) -> LawfulRequest:
    """The same in an emergency."""
    return _request(instrument, issuer, situation, tuple(_data(situation)), Urgency.EMERGENCY)


def _data(situation: Situation) -> Iterator[DataDemand]:
    user = Target(format=TargetFormat.USER, value=situation.target)
    tenant = Target(format=TargetFormat.TENANT, value=situation.tenant)
    everybody = Target(format=TargetFormat.ALL_USERS, value="*")
    past = Timespan(start=situation.since, end=situation.now)
    coming = Timespan(start=situation.now, end=situation.now + timedelta(seconds=STREAM_SECONDS))
    for name, mode, target, scope, window in (
        ("stored", Mode.STORED, user, Scope.ACCOUNTS, past),
        ("preserve", Mode.PRESERVE, user, Scope.ACCOUNTS, past),
        ("stream", Mode.STREAM, user, Scope.ACCOUNTS, coming),
        ("tenant", Mode.STORED, tenant, Scope.TENANT, past),
        ("everybody", Mode.STORED, everybody, Scope.ALL_USERS, past),
    ):
        yield DataDemand.model_validate(
            {
                "id": name,
                "classes": frozenset(DataClass),
                "mode": mode,
                "scope": scope,
                "targets": (target,),
                "window": window,
                "delivery_type": DeliveryType.IRI_ONLY if mode is Mode.STREAM else None,
            }
        )
    # What is said and done is asked for as well, as it happens: it is refused, never downgraded.
    yield DataDemand(
        id="interception",
        classes=frozenset({DataClass.TRAFFIC, DataClass.CONTENT}),
        mode=Mode.STREAM,
        scope=Scope.ACCOUNTS,
        targets=(user,),
        window=coming,
        delivery_type=DeliveryType.IRI_AND_CC,
    )


def _service(instrument: Instrument, situation: Situation) -> Iterator[ServiceDemand]:
    jurisdiction = instrument.id.partition("/")[0]
    for action in ServiceAction:
        effective = situation.now + timedelta(days=90)
        yield ServiceDemand(id=f"service-{action}", action=action, jurisdiction=jurisdiction, effective=effective)


def _capabilities() -> Iterator[CapabilityDemand]:
    for capability in Capability:
        yield CapabilityDemand(
            id=f"build-{capability}", capability=capability, scope=Scope.ALL_USERS, description="as ordered"
        )
        if capability is not Capability.MASS_MONITORING:
            yield CapabilityDemand(
                id=f"one-{capability}", capability=capability, scope=Scope.ACCOUNTS, description="as ordered"
            )


def _request(
    instrument: Instrument,
    issuer: AuthorityKind,
    situation: Situation,
    demands: tuple[Demand, ...],
    urgency: Urgency = Urgency.ROUTINE,
) -> LawfulRequest:
    days = min(instrument.max_days or _TERM_DAYS, _TERM_DAYS)
    term = Timespan(start=situation.since - _HOUR, end=situation.since + timedelta(days=days) - 2 * _HOUR)
    # Users of the first person asked about are told at once, others when an order ends: both ways are gone.
    secret = NonDisclosure(legal_basis="as ordered", until=situation.now + timedelta(days=1))
    return LawfulRequest(
        id=uuid4(),
        sender=situation.authority,
        officer=situation.officer,
        receiver=situation.relay,
        timestamp=situation.now,
        authorisation=Authorisation(
            reference="PROOF-1",
            instrument=instrument.id,
            jurisdiction=instrument.id.partition("/")[0],
            timespan=term,
            approvals=[
                Approval(
                    role=issuer,
                    name="the issuer",
                    reference="PROOF-1",
                    timestamp=situation.since - _HOUR,
                    is_emergency=urgency is Urgency.EMERGENCY,
                )
            ],
            urgency=urgency,
            non_disclosure=secret if instrument.gag is not None and instrument.gag.by_default else None,
            purpose=Purpose.INVESTIGATE,
            offence_max_years=25,
            enforcing_authority_notified=True,
            harm_to_investigation="stated",
            emergency_grounds="stated" if urgency is Urgency.EMERGENCY else None,
            mutual_assistance_reference="stated" if instrument.id.endswith("/mutual-assistance") else None,
        ),
        demands=demands,
    )
