"""From a scenario's demand to the document that is signed: what is written there, and nothing wider."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from blindrelay.policies.request import (
    CapabilityDemand,
    DataDemand,
    DeliveryType,
    LawfulRequest,
    ServiceDemand,
    TargetFormat,
)
from blindrelay.policies.scenarios import drafting
from blindrelay.policies.scenarios.document import parse
from blindrelay.policies.vocabulary import AuthorityKind, Mode, Scope, Urgency

NOW = datetime(2026, 3, 4, tzinfo=UTC)
NUMBER = UUID(int=7)
HEAD = """\
scenario: small
title: One demand
start: 2026-03-02
tenants:
  - {name: acme.example, users: {alice: [laptop]}}
authorities:
  court: {name: A court, jurisdiction: us, kind: judge, officers: [J. Doe]}
instruments:
  order:
    id: us/d-order
    reference: A1
    issued_by: ISSUED
    valid: {from: 2026-03-01, until: 2026-04-01}
steps:
  - demand: {case: earlier, by: court, under: order, asks: [{id: keep, mode: preserve, classes: [TRAFFIC],
      targets: [alice@acme.example], window: {from: 2026-03-01, until: 2026-03-04}}]}
  - demand:
      case: first
      by: court
      under: order
      asks: ASKS
"""


def drafted(asks: str, issued: str = "judge") -> LawfulRequest:
    """The request of the second step."""
    scenario = parse(HEAD.replace("ASKS", asks).replace("ISSUED", issued), Path("x.scenario.yaml")).scenario
    demand = scenario.steps[1].demand
    assert demand is not None
    return drafting.draft(
        demand,
        scenario.instrument(demand.under),
        scenario.authorities[demand.by],
        sender="court",
        receiver="relay",
        request_id=NUMBER,
        now=NOW,
        cases={"earlier": "case-1"},
    )


def data(**values: str) -> str:
    """A demand for data, as YAML."""
    given = {"id": "d", "classes": "[TRAFFIC]", "targets": "[alice@acme.example]", **values}
    window = "{from: 2026-03-01, until: 2026-03-04}"
    return "[{" + ", ".join(f"{key}: {value}" for key, value in given.items()) + f", window: {window}}}]"


def test_the_head_is_what_was_said() -> None:
    """Sender, officer, instrument, jurisdiction and who issued it."""
    request = drafted(data())

    assert (request.id, request.sender, request.officer, request.receiver) == (NUMBER, "court", "J. Doe", "relay")
    assert (request.authorisation.instrument, request.authorisation.jurisdiction) == ("us/d-order", "us")
    (approval,) = request.authorisation.approvals
    assert (approval.role, approval.reference) == (AuthorityKind.JUDGE, "A1")
    assert request.authorisation.urgency is Urgency.ROUTINE
    assert request.authorisation.non_disclosure is None
    assert not request.authorisation.is_test


def test_several_may_have_issued_it() -> None:
    """Each with a name, and a date or the instrument's."""
    issued = "[{role: minister, name: M., at: 2026-02-01}, {role: judge, name: J., emergency: true}]"
    approvals = drafted(data(), issued).authorisation.approvals

    assert [(one.role.value, one.name, one.timestamp.month, one.is_emergency) for one in approvals] == [
        ("minister", "M.", 2, False),
        ("judge", "J.", 3, True),
    ]


@pytest.mark.parametrize(
    ("targets", "scope", "formats"),
    [
        ("[alice@acme.example]", Scope.ACCOUNTS, [TargetFormat.USER]),
        ("[acme.example/alice/laptop]", Scope.ACCOUNTS, [TargetFormat.DEVICE]),
        ("[acme.example]", Scope.TENANT, [TargetFormat.TENANT]),
        ('["*"]', Scope.ALL_USERS, [TargetFormat.ALL_USERS]),
    ],
)
def test_the_scope_is_what_the_targets_are(targets: str, scope: Scope, formats: list[TargetFormat]) -> None:
    """An account, an enterprise, everybody."""
    (demand,) = drafted(data(targets=targets)).demands

    assert isinstance(demand, DataDemand)
    assert (demand.scope, [target.format for target in demand.targets]) == (scope, formats)


def test_a_stream_is_one_of_records_unless_it_says_otherwise() -> None:
    """`IRIOnly`; what wants content says so, and is handed in as it is."""
    (plain,) = drafted(data(mode="stream")).demands
    (both,) = drafted(data(mode="stream", delivery_type="IRIandCC")).demands

    assert isinstance(plain, DataDemand)
    assert isinstance(both, DataDemand)
    assert (plain.mode, plain.delivery_type) == (Mode.STREAM, DeliveryType.IRI_ONLY)
    assert both.delivery_type is DeliveryType.IRI_AND_CC


def test_a_renewal_names_the_relays_own_case() -> None:
    """The scenario's name becomes the number that the relay gave."""
    (demand,) = drafted(data(mode="preserve", continues="earlier/keep")).demands

    assert isinstance(demand, DataDemand)
    assert demand.continues == "case-1/keep"


def test_capability_and_service_are_kinds_of_their_own() -> None:
    """What a demand names says what it is."""
    capability, service = drafted(
        "[{id: c, capability: key-escrow, description: All keys.}, "
        "{id: s, service: suspend, jurisdiction: us, effective: 2026-05-01, addressee: other}]"
    ).demands

    assert isinstance(capability, CapabilityDemand)
    assert isinstance(service, ServiceDemand)
    assert (capability.scope, service.addressee) == (Scope.ALL_USERS, "other")
