"""Every jurisdiction, instrument, kind of authority, class, mode, scope and urgency: no outcome gives what is not metadata.

The lattice is finite and small enough to be walked whole. Everything else is as favourable to the authority as it can be.
"""

from collections.abc import Iterator
from itertools import product

import pytest

from blindrelay.policies.decision import Decision, DemandDecision
from blindrelay.policies.engine import decide
from blindrelay.policies.packs import Policies
from blindrelay.policies.request import DataDemand, DeliveryType, Demand, LawfulRequest, Target
from blindrelay.policies.vocabulary import (
    METADATA,
    AuthorityKind,
    Capability,
    DataClass,
    Ground,
    Mode,
    Outcome,
    Purpose,
    Scope,
    ServiceAction,
    Urgency,
)
from support.lawful import BOB, EVERYBODY, GLOBEX, WINDOW, capability, data, facts, request, service

JURISDICTIONS = ("au", "eu", "in", "pk", "uk", "us")
WHOM: tuple[Target, ...] = (BOB, GLOBEX, EVERYBODY)
HOW = (
    (Mode.STORED, DeliveryType.IRI_ONLY),
    (Mode.PRESERVE, DeliveryType.IRI_ONLY),
    *((Mode.STREAM, delivery) for delivery in DeliveryType),
)


def demands_for_data() -> list[Demand]:
    """Every class, in every mode and delivery, about one, about an enterprise, and about everybody."""
    return [
        data(*DataClass, mode=mode, delivery=delivery, targets=[target], demand_id=f"d{number}")
        for number, ((mode, delivery), target) in enumerate(product(HOW, WHOM))
    ]


def demands_for_more(jurisdiction: str) -> Iterator[list[Demand]]:
    """Every capability, about whomever, and every order about the service."""
    for scope in Scope:
        built = [
            capability(each, scope).model_copy(update={"id": f"c{number}"}) for number, each in enumerate(Capability)
        ]
        ordered = [
            service(each, jurisdiction).model_copy(update={"id": f"s{number}"})
            for number, each in enumerate(ServiceAction)
        ]
        yield [*built, *ordered]


def requests(
    policies: Policies, jurisdiction: str, demands: list[Demand], kind: AuthorityKind
) -> Iterator[LawfulRequest]:
    """Under every instrument, in both urgencies, with every reason stated that there is to state."""
    pack = policies.packs[jurisdiction]
    looked_at = any("purpose" in each.attributes for each in pack.reads.values())
    purposes = list(Purpose) if looked_at else [Purpose.INVESTIGATE]
    for instrument, urgency, purpose in product(pack.manifest.instruments, Urgency, purposes):
        yield request(
            instrument.id,
            *demands,
            issued_by=kind,
            urgency=urgency,
            purpose=purpose,
            offence_max_years=100,
            enforcing_authority_notified=True,
            harm_to_investigation="stated",
            emergency_grounds="stated",
            mutual_assistance_reference="stated",
        )


def decisions(policies: Policies, jurisdiction: str, kind: AuthorityKind) -> Iterator[tuple[LawfulRequest, Decision]]:
    for demands in (demands_for_data(), *demands_for_more(jurisdiction)):
        for made in requests(policies, jurisdiction, demands, kind):
            known = facts(made, kind=kind, authority={"call_back_confirmed": True})
            yield made, decide(made, known, policies)


def check(demand: Demand, found: DemandDecision) -> None:
    if isinstance(demand, DataDemand):
        assert {each.data_class for each in found.classes} == demand.classes
    for each in found.classes:
        if each.data_class not in METADATA or demand.scope is Scope.ALL_USERS:  # type: ignore[union-attr]
            assert each.outcome is Outcome.REFUSED
            assert each.ground in {Ground.NOT_HELD, Ground.OUT_OF_REACH, Ground.BULK, Ground.WRONG_AUTHORITY}
        if each.outcome.discloses or each.outcome is Outcome.PRESERVED:
            assert each.targets == (BOB,)
            assert each.window is not None
            assert demand.window.start <= each.window.start  # type: ignore[union-attr]
            assert each.window.end <= demand.window.end  # type: ignore[union-attr]
        else:
            assert each.targets == ()
            assert each.window is None
        assert each.reasons
    if demand.kind == "capability" and (
        demand.capability is not Capability.METADATA_EXPORT or demand.scope is not Scope.ACCOUNTS
    ):
        assert found.outcome is Outcome.REFUSED
    if demand.kind != "data":
        assert found.classes == ()
    if found.stream is not None:
        assert isinstance(demand, DataDemand)
        assert demand.delivery_type is DeliveryType.IRI_ONLY


@pytest.mark.parametrize("kind", list(AuthorityKind))
@pytest.mark.parametrize("jurisdiction", JURISDICTIONS)
def test_no_outcome_gives_what_is_not_metadata(policies: Policies, jurisdiction: str, kind: AuthorityKind) -> None:
    """CONTENT, KEYS, CAPABILITY and BULK are refused, whoever asks with whatever; what is given is no more than was asked."""
    for made, decision in decisions(policies, jurisdiction, kind):
        for demand, found in zip(made.demands, decision.demands, strict=True):
            assert found.ground is not Ground.UNDECIDABLE
            check(demand, found)


@pytest.mark.parametrize("jurisdiction", JURISDICTIONS)
def test_something_is_given_in_every_jurisdiction(policies: Policies, jurisdiction: str) -> None:
    """The walk above is no walk through a closed door."""
    given = {
        each.data_class
        for kind in AuthorityKind
        for made in requests(policies, jurisdiction, [data(*DataClass, window=WINDOW)], kind)
        for each in decide(made, facts(made, kind=kind, authority={"call_back_confirmed": True}), policies)
        .demands[0]
        .classes
        if each.outcome.discloses
    }

    assert given == METADATA


@pytest.mark.parametrize("home", JURISDICTIONS)
def test_nobody_is_given_anything_of_another_jurisdiction(policies: Policies, home: str) -> None:
    """Neither an authority that uses another's instrument, nor one whose own instrument is about another's people."""
    # A court's register entry, so that whoever has to issue the instrument is not what it fails at.
    about = {"kind": AuthorityKind.JUDGE, "authority": {"call_back_confirmed": True}}
    for jurisdiction in (each for each in JURISDICTIONS if each != home):
        for instrument in policies.packs[jurisdiction].manifest.instruments:
            made = request(
                instrument.id, data(*DataClass), issued_by=instrument.issuers[0], harm_to_investigation="stated"
            )
            foreign = decide(made, facts(made, jurisdiction=home, **about), policies)
            abroad = decide(made, facts(made, tenants=frozenset({home}), **about), policies)
            for found in (*foreign.demands, *abroad.demands):
                assert not any(each.outcome.discloses or each.outcome is Outcome.PRESERVED for each in found.classes)
