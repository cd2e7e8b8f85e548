"""The reference's scenarios S1 to S18, as far as a decision goes: one row each, put before the engine with the shipped packs.

What leaves the relay because of such a decision, and when, is for the scenarios that are played against a whole relay.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from blindrelay.policies.engine import decide
from blindrelay.policies.packs import Policies
from blindrelay.policies.request import DeliveryType, LawfulRequest, NonDisclosure, Target, TargetFormat, Timespan
from blindrelay.policies.vocabulary import (
    AuthorityKind,
    Capability,
    DataClass,
    EventKind,
    Ground,
    Mode,
    Outcome,
    Purpose,
    Scope,
    ServiceAction,
    Urgency,
)
from support.lawful import (
    ALICE,
    BOB,
    DAY,
    EVERYBODY,
    GLOBEX,
    HOUR,
    RECEIVED,
    TERM,
    by_class,
    capability,
    data,
    decided,
    event,
    facts,
    request,
    service,
)

SUBSCRIBER, ACCESS, TRAFFIC, CONTENT, KEYS = DataClass
GRANTED, NARROWED, PRESERVED, REFUSED, REDIRECTED, HELD = list(Outcome)[:6]
HARM = {"harm_to_investigation": "The enterprise belongs to the suspect."}
EMERGENCY = {"urgency": Urgency.EMERGENCY, "emergency_grounds": "A child is in danger."}
NOTIFIED = {**HARM, "enforcing_authority_notified": True}
CONFIRMED = {"call_back_confirmed": True}


@dataclass(frozen=True)
class Row:
    """A scenario, or a variant of one.

    Attributes:
        about: facts that are not those of an ordinary case.
        outcome, ground: of the demand.
        classes: outcome of each class, and its ground where it is one.
    """

    name: str
    made: LawfulRequest
    outcome: Outcome
    ground: Ground | None = None
    classes: Mapping[DataClass, tuple[Outcome, Ground | None]] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)


def asked(
    instrument: str, *classes: DataClass, by: AuthorityKind = AuthorityKind.JUDGE, **stated: Any
) -> LawfulRequest:
    return request(instrument, data(*classes), issued_by=by, **stated)


def all_of(
    outcome: Outcome, ground: Ground | None, *classes: DataClass
) -> dict[DataClass, tuple[Outcome, Ground | None]]:
    return dict.fromkeys(classes or (SUBSCRIBER, ACCESS, TRAFFIC), (outcome, ground))


NOT_HELD = all_of(REFUSED, Ground.NOT_HELD, CONTENT, KEYS)
BEYOND = all_of(REFUSED, Ground.OUT_OF_REACH, CONTENT, KEYS)
WEEK = Timespan(start=RECEIVED, end=RECEIVED + 7 * DAY)
LIVE = data(TRAFFIC, mode=Mode.STREAM, window=WEEK)
PEN = "us/pen-trap"
UK_MONTH = Timespan(start=RECEIVED - 31 * DAY, end=RECEIVED + DAY)
UK_URGENT = Timespan(start=RECEIVED - 3 * DAY, end=RECEIVED + 3 * DAY)
POLICE, PROSECUTOR, AGENCY = AuthorityKind.POLICE, AuthorityKind.PROSECUTOR, AuthorityKind.AGENCY
JUDGE, MINISTER, DOUBLE_LOCK = AuthorityKind.JUDGE, AuthorityKind.MINISTER, AuthorityKind.MINISTER_WITH_COMMISSIONER

ROWS = [
    Row(
        "S1 a subpoena reaches who and from where, not to whom and not what",
        asked("us/subpoena", *DataClass, by=AuthorityKind.GRAND_JURY),
        NARROWED,
        Ground.OUT_OF_REACH,
        {**all_of(GRANTED, None, SUBSCRIBER, ACCESS), TRAFFIC: (REFUSED, Ground.OUT_OF_REACH), **BEYOND},
    ),
    Row(
        "S2 a search warrant reaches everything, and content is not held",
        asked("us/search-warrant", *DataClass),
        NARROWED,
        Ground.NOT_HELD,
        {**all_of(GRANTED, None), **NOT_HELD},
    ),
    Row("S3 a pen register is a stream of records", request(PEN, LIVE), GRANTED, None, all_of(GRANTED, None, TRAFFIC)),
    *(
        Row(
            f"S3 a pen register that wants {delivery} is refused, not downgraded",
            request(PEN, data(TRAFFIC, CONTENT, mode=Mode.STREAM, window=WEEK, delivery=delivery)),
            REFUSED,
            Ground.OUT_OF_REACH,
            all_of(REFUSED, Ground.OUT_OF_REACH, TRAFFIC, CONTENT),
        )
        for delivery in (DeliveryType.CC_ONLY, DeliveryType.IRI_AND_CC)
    ),
    Row(
        "S3 a wiretap order reaches content, which is not held",
        request("us/wiretap-order", data(CONTENT, mode=Mode.STREAM, window=WEEK, delivery=DeliveryType.CC_ONLY)),
        REFUSED,
        Ground.NOT_HELD,
        all_of(REFUSED, Ground.NOT_HELD, CONTENT),
    ),
    Row(
        "S4 a preservation letter preserves, and discloses nothing",
        request("us/preservation-letter", data(mode=Mode.PRESERVE), issued_by=POLICE),
        PRESERVED,
        None,
        all_of(PRESERVED, None),
    ),
    Row(
        "S4 a preservation letter is no order to disclose",
        asked("us/preservation-letter", by=POLICE),
        REFUSED,
        Ground.OUT_OF_REACH,
        all_of(REFUSED, Ground.OUT_OF_REACH),
    ),
    Row(
        "S5 a prosecutor alone orders no traffic data",
        asked("eu/epoc-traffic", TRAFFIC, by=PROSECUTOR, **NOTIFIED),
        REFUSED,
        Ground.WRONG_AUTHORITY,
        all_of(REFUSED, Ground.WRONG_AUTHORITY, TRAFFIC),
    ),
    Row(
        "S5 a prosecutor has somebody identified",
        asked("eu/epoc-identify", ACCESS, by=PROSECUTOR, purpose=Purpose.IDENTIFY, **HARM),
        GRANTED,
        None,
        all_of(GRANTED, None, ACCESS),
    ),
    Row(
        "S5 connections that are not to identify are traffic data",
        asked("eu/epoc-identify", ACCESS, by=PROSECUTOR, **HARM),
        REFUSED,
        Ground.OUT_OF_REACH,
        all_of(REFUSED, Ground.OUT_OF_REACH, ACCESS),
    ),
    Row(
        "S5 traffic data take an offence of three years",
        asked("eu/epoc-traffic", TRAFFIC, **NOTIFIED, offence_max_years=2),
        REFUSED,
        Ground.OUT_OF_REACH,
        all_of(REFUSED, Ground.OUT_OF_REACH, TRAFFIC),
    ),
    Row(
        "S5 an offence that is not stated is of no length",
        asked("eu/epoc-traffic", TRAFFIC, **NOTIFIED, offence_max_years=None),
        REFUSED,
        Ground.OUT_OF_REACH,
    ),
    Row("S6 a judge's order for traffic data waits", asked("eu/epoc-traffic", TRAFFIC, **NOTIFIED), GRANTED),
    Row(
        "S6 without notification it is held",
        asked("eu/epoc-traffic", TRAFFIC, **HARM),
        HELD,
        Ground.AWAITING_NOTIFICATION,
        all_of(HELD, Ground.AWAITING_NOTIFICATION, TRAFFIC),
    ),
    Row(
        "S6 an objection blocks it",
        asked("eu/epoc-traffic", TRAFFIC, **NOTIFIED),
        REFUSED,
        Ground.OBJECTED,
        all_of(REFUSED, Ground.OBJECTED, TRAFFIC),
        {"now": RECEIVED + 12 * DAY, "events": [event(EventKind.OBJECTION, 4 * DAY)]},
    ),
    Row(
        "S8 the enterprise is asked before its processor",
        asked("eu/epoc-identify", SUBSCRIBER, by=PROSECUTOR),
        REDIRECTED,
        Ground.CONTROLLER_FIRST,
        all_of(REDIRECTED, Ground.CONTROLLER_FIRST, SUBSCRIBER),
    ),
    Row(
        "S8 unless that would harm the investigation",
        asked("eu/epoc-identify", SUBSCRIBER, by=PROSECUTOR, **HARM),
        GRANTED,
    ),
    Row(
        "S9 a month is over on day 32",
        asked("uk/cd-authorisation", by=AuthorityKind.INDEPENDENT_BODY, term=UK_MONTH),
        Outcome.EXPIRED,
        Ground.EXPIRED,
        all_of(Outcome.EXPIRED, Ground.EXPIRED),
    ),
    Row(
        "S9 an urgent authorisation is dead on day 4",
        asked("uk/urgent-cd-authorisation", by=POLICE, term=UK_URGENT, **EMERGENCY),
        Outcome.EXPIRED,
        Ground.EXPIRED,
        all_of(Outcome.EXPIRED, Ground.EXPIRED),
        {"authority": CONFIRMED},
    ),
    Row(
        "S10 a ghost device is not built for anybody",
        request("uk/technical-capability-notice", capability(Capability.GHOST_DEVICE), issued_by=DOUBLE_LOCK),
        REFUSED,
        Ground.CAPABILITY,
    ),
    Row(
        "S11 nor a means to decrypt",
        request("au/technical-capability-notice", capability(Capability.DECRYPTION), issued_by=MINISTER),
        REFUSED,
        Ground.CAPABILITY,
    ),
    Row(
        "S11 whoever asks for it, and however politely",
        request("au/technical-assistance-request", capability(Capability.DECRYPTION), issued_by=AGENCY),
        REFUSED,
        Ground.CAPABILITY,
    ),
    Row(
        "S11 an export that exists may be used",
        request("au/technical-assistance-notice", capability(Capability.METADATA_EXPORT), issued_by=AGENCY),
        GRANTED,
    ),
    Row(
        "S11 within the classes that the notice reaches",
        asked("au/technical-assistance-notice", by=AGENCY),
        GRANTED,
        None,
        all_of(GRANTED, None),
    ),
    Row(
        "S11 an export that is asked for, and not ordered, is declined",
        request("au/technical-assistance-request", capability(Capability.METADATA_EXPORT), issued_by=AGENCY),
        REFUSED,
        Ground.OUT_OF_REACH,
    ),
    Row(
        "S11 an export about everybody is bulk",
        request(
            "au/technical-assistance-notice", capability(Capability.METADATA_EXPORT, Scope.ALL_USERS), issued_by=AGENCY
        ),
        REFUSED,
        Ground.BULK,
    ),
    Row(
        "S12 an originator order binds significant services",
        asked("in/originator-order", TRAFFIC),
        REFUSED,
        Ground.OUT_OF_REACH,
        all_of(REFUSED, Ground.OUT_OF_REACH, TRAFFIC),
        {"operator": {"service_users": {"in": 120_000}}},
    ),
    Row(
        "S12 and nobody's messages are tagged",
        request("in/originator-order", capability(Capability.TRACEABILITY)),
        REFUSED,
        Ground.CAPABILITY,
        {},
        {"operator": {"service_users": {"in": 6_000_000}}},
    ),
    Row("S12 a direction for records", asked("in/section-69-direction", TRAFFIC, by=MINISTER), GRANTED),
    Row(
        "S12 that its agency does not know is a fraud",
        asked("in/section-69-direction", TRAFFIC, by=MINISTER),
        Outcome.FRAUD_SUSPECTED,
        Ground.FRAUD_SIGNAL,
        all_of(Outcome.FRAUD_SUSPECTED, Ground.FRAUD_SIGNAL, TRAFFIC),
        {"now": RECEIVED + 15 * DAY, "events": [event(EventKind.NOT_CONFIRMED, 15 * DAY)]},
    ),
    Row(
        "S13 an officer whom nobody has enrolled is called back",
        asked("us/emergency-request", by=POLICE, **EMERGENCY),
        HELD,
        Ground.FRAUD_SIGNAL,
        all_of(HELD, Ground.FRAUD_SIGNAL),
        {"authority": {"officer_is_enrolled": False}},
    ),
    Row(
        "S13 and the agency knows of nothing",
        asked("us/emergency-request", by=POLICE, **EMERGENCY),
        Outcome.FRAUD_SUSPECTED,
        Ground.FRAUD_SIGNAL,
        all_of(Outcome.FRAUD_SUSPECTED, Ground.FRAUD_SIGNAL),
        {"authority": {"officer_is_enrolled": False, "call_back_confirmed": False}},
    ),
    Row(
        "S14 an emergency gets the last connections",
        asked("us/emergency-request", *DataClass, by=POLICE, **EMERGENCY),
        NARROWED,
        Ground.OUT_OF_REACH,
        {**all_of(REFUSED, Ground.OUT_OF_REACH, SUBSCRIBER, TRAFFIC), ACCESS: (NARROWED, None), **NOT_HELD},
        {"authority": CONFIRMED},
    ),
    Row(
        "S14 but not without its grounds",
        asked("us/emergency-request", ACCESS, by=POLICE, urgency=Urgency.EMERGENCY),
        REFUSED,
        Ground.OUT_OF_REACH,
        {},
        {"authority": CONFIRMED},
    ),
    Row("S14 nor when it is none", asked("us/emergency-request", ACCESS, by=POLICE), REFUSED, Ground.OUT_OF_REACH),
    Row(
        "S16 a foreign letter is referred to mutual assistance",
        asked("in/informal-letter", SUBSCRIBER, by=POLICE),
        REDIRECTED,
        Ground.NO_JURISDICTION,
        all_of(REDIRECTED, Ground.NO_JURISDICTION, SUBSCRIBER),
        {"tenants": frozenset({"eu"})},
    ),
    Row(
        "S16 an authority cannot use another country's instrument",
        asked("us/d-order", SUBSCRIBER),
        REDIRECTED,
        Ground.NO_JURISDICTION,
        {},
        {"jurisdiction": "pk"},
    ),
    Row(
        "S16 the central authority's own order is judged at home",
        asked(
            "us/mutual-assistance",
            SUBSCRIBER,
            by=AuthorityKind.CENTRAL_AUTHORITY,
            mutual_assistance_reference="order of the court at Prague",
        ),
        GRANTED,
    ),
    Row(
        "S16 without that order there is nothing to execute",
        asked("us/mutual-assistance", SUBSCRIBER, by=AuthorityKind.CENTRAL_AUTHORITY),
        REFUSED,
        Ground.OUT_OF_REACH,
    ),
    Row(
        "S16 what another statute forbids is not granted by the order of the packs",
        asked("us/d-order"),
        REFUSED,
        Ground.CONFLICT,
        all_of(REFUSED, Ground.CONFLICT),
        {"blocking_statutes": frozenset({"eu"})},
    ),
    Row(
        "S17 a whole enterprise is asked itself",
        request("us/d-order", data(targets=[GLOBEX])),
        REDIRECTED,
        Ground.CONTROLLER_FIRST,
        all_of(REDIRECTED, Ground.CONTROLLER_FIRST),
    ),
    Row(
        "S17 everybody's data is not disclosed",
        request("us/search-warrant", data(*DataClass, targets=[EVERYBODY])),
        REFUSED,
        Ground.BULK,
        {**all_of(REFUSED, Ground.BULK), **NOT_HELD},
    ),
    Row(
        "S17 not even where the law may order it",
        request("uk/bulk-acquisition", data(ACCESS, TRAFFIC, targets=[EVERYBODY]), issued_by=DOUBLE_LOCK),
        REFUSED,
        Ground.BULK,
        all_of(REFUSED, Ground.BULK, ACCESS, TRAFFIC),
    ),
    Row(
        "S18 a memo to somebody else is obeyed by nobody here",
        request(
            "pk/shutdown-order", service(ServiceAction.SUSPEND, addressee="other"), issued_by=AuthorityKind.REGULATOR
        ),
        HELD,
        Ground.UNAUTHENTICATED,
    ),
    *(
        Row(
            f"S18 the order to {action} the service",
            request("pk/shutdown-order", service(action), issued_by=AuthorityKind.REGULATOR),
            GRANTED,
        )
        for action in ServiceAction
    ),
    Row(
        "S18 everything of everybody's",
        request("pk/mrtt-regulations", data(*DataClass, targets=[EVERYBODY]), issued_by=AuthorityKind.REGULATOR),
        REFUSED,
        Ground.BULK,
        all_of(REFUSED, Ground.BULK),
    ),
    Row(
        "S18 a system to monitor it with",
        request(
            "pk/mrtt-regulations",
            capability(Capability.MASS_MONITORING, Scope.ALL_USERS),
            issued_by=AuthorityKind.REGULATOR,
        ),
        REFUSED,
        Ground.CAPABILITY,
    ),
    Row(
        "S18 a judge's warrant for one account is judged as any other",
        asked("pk/ifta-warrant", *DataClass),
        NARROWED,
        Ground.NOT_HELD,
        {**all_of(GRANTED, None), **NOT_HELD},
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_the_reference(policies: Policies, row: Row) -> None:
    """What the reference says comes of it, and nothing but metadata ever."""
    decision = decided(policies, row.made, **row.about)
    found = decision.demands[0]

    assert (found.outcome, found.ground) == (row.outcome, row.ground)
    classes = by_class(decision)
    assert {each: (classes[each].outcome, classes[each].ground) for each in row.classes} == row.classes
    assert all(each.data_class.is_metadata for each in found.classes if each.outcome.discloses)
    assert found.reasons or all(each.reasons for each in found.classes)


def test_content_that_an_instrument_reaches_is_not_available_rather_than_rejected(policies: Policies) -> None:
    """S2: `Rejected` would say that the operator declines. The letter of the law is beside it."""
    found = by_class(decided(policies, asked("us/search-warrant", *DataClass)))

    assert found[CONTENT].status == found[KEYS].status == "DisclosureNotAvailable"
    assert "reaches content" in (found[CONTENT].law or "")
    assert {reason.policy_id for reason in found[CONTENT].reasons} >= {"invariants/content"}
    assert found[TRAFFIC].reasons[0].policy_id.startswith("us/us-search-warrant")


def test_a_real_time_order_has_its_own_start_and_end(policies: Policies) -> None:
    """S3: from the second at which it begins to the one at which it or its instrument ends."""
    ordered = data(TRAFFIC, mode=Mode.STREAM, window=Timespan(start=RECEIVED - DAY, end=RECEIVED + 90 * DAY))
    found = decided(policies, request(PEN, ordered)).demands[0]

    assert found.outcome is NARROWED
    assert found.stream == Timespan(start=RECEIVED, end=TERM.end)
    assert found.rests_on_unconfirmed


def test_the_expected_instrument_is_named_where_another_was_used(policies: Policies) -> None:
    """S1: what would have had to differ is an instrument, by its name."""
    found = by_class(decided(policies, asked("us/subpoena", TRAFFIC, by=PROSECUTOR)))[TRAFFIC]

    assert "us/d-order" in found.would_change[0]
    assert found.reasons[0].location is not None


def test_what_would_have_had_to_differ_is_found_by_asking(policies: Policies) -> None:
    """S5: an offence that is too small, and a purpose that is another."""
    small = by_class(decided(policies, asked("eu/epoc-traffic", TRAFFIC, **NOTIFIED, offence_max_years=1)))[TRAFFIC]
    other = by_class(decided(policies, asked("eu/epoc-identify", ACCESS, by=PROSECUTOR, **HARM)))[ACCESS]

    assert small.would_change == ("An offence whose highest penalty is 3 years or more, and that is stated.",)
    assert other.would_change == ("The same order, with the purpose to identify.",)
    assert "eu/eu-epoc-traffic" in {reason.policy_id for reason in small.reasons}


@pytest.mark.parametrize(
    ("events", "release", "outcome"),
    [
        ([], 10 * DAY, GRANTED),
        ([event(EventKind.CLEARANCE, 3 * DAY)], None, GRANTED),
        ([event(EventKind.OBJECTION, 4 * DAY)], None, REFUSED),
        ([event(EventKind.OBJECTION, 4 * DAY), event(EventKind.CLEARANCE, 5 * DAY)], None, GRANTED),
        ([event(EventKind.CLEARANCE, 3 * DAY), event(EventKind.OBJECTION, 4 * DAY)], None, REFUSED),
        ([event(EventKind.OBJECTION, 11 * DAY)], 10 * DAY, GRANTED),
        ([event(EventKind.OBJECTION, 4 * DAY, "another")], 10 * DAY, GRANTED),
    ],
)
def test_the_notified_authority_has_ten_days(
    policies: Policies, events: list[Any], release: timedelta | None, outcome: Outcome
) -> None:
    """S6: it objects, it clears, or it says nothing; its last word within the window counts."""
    found = decided(
        policies, asked("eu/epoc-traffic", TRAFFIC, **NOTIFIED), now=RECEIVED + 12 * DAY, events=events
    ).demands[0]

    assert found.outcome is outcome
    assert found.release_not_before == (RECEIVED + release if release else None)
    assert found.deadline == RECEIVED + 10 * DAY


def test_an_objection_that_nobody_has_heard_yet_is_no_input(policies: Policies) -> None:
    """A decision is replayed with the events that were there when it was made."""
    made = asked("eu/epoc-traffic", TRAFFIC, **NOTIFIED)
    found = decided(policies, made, now=RECEIVED + 3 * DAY, events=[event(EventKind.OBJECTION, 4 * DAY)]).demands[0]

    assert found.outcome is GRANTED


def test_an_emergency_of_eight_hours_does_not_wait_and_is_restricted_in_use(policies: Policies) -> None:
    """S6: 96 hours remain to object to the use of the data."""
    made = asked("eu/epoc-traffic", TRAFFIC, **NOTIFIED, **EMERGENCY)
    found = decided(policies, made, authority=CONFIRMED).demands[0]
    objected = decided(
        policies, made, authority=CONFIRMED, now=RECEIVED + 3 * DAY, events=[event(EventKind.OBJECTION, 95 * HOUR)]
    )

    assert (found.outcome, found.release_not_before, found.deadline) == (GRANTED, None, RECEIVED + 8 * HOUR)
    assert "96 hours" in (found.use_restriction or "")
    assert objected.demands[0].outcome is GRANTED
    late = decided(
        policies, made, authority=CONFIRMED, now=RECEIVED + 5 * DAY, events=[event(EventKind.OBJECTION, 95 * HOUR)]
    )
    assert "may not be used" in (late.demands[0].use_restriction or "")


def test_subscriber_data_wait_for_nobody(policies: Policies) -> None:
    """S5, S6: only traffic and content are notified; connections count as traffic unless they are to identify."""
    for classes, purpose, waits in (
        ((SUBSCRIBER,), Purpose.INVESTIGATE, False),
        ((ACCESS,), Purpose.IDENTIFY, False),
        ((ACCESS,), Purpose.INVESTIGATE, True),
        ((SUBSCRIBER, TRAFFIC), Purpose.INVESTIGATE, True),
    ):
        found = decided(policies, asked("eu/epoc-traffic", *classes, **NOTIFIED, purpose=purpose)).demands[0]
        assert found.outcome is GRANTED
        assert (found.release_not_before is not None) is waits


def test_a_redirection_names_the_enterprise_and_says_that_its_rule_is_unconfirmed(policies: Policies) -> None:
    """S8: article 5(6) was not read."""
    found = decided(policies, asked("eu/epoc-identify", SUBSCRIBER, by=PROSECUTOR)).demands[0]

    assert found.redirect_to == "globex.example"
    assert found.rests_on_unconfirmed


def test_a_day_before_it_ends_an_authorisation_is_good(policies: Policies) -> None:
    """S9: the other side of the line."""
    month = Timespan(start=RECEIVED - 30 * DAY, end=RECEIVED + HOUR)
    urgent = Timespan(start=RECEIVED - 2 * DAY, end=RECEIVED + 9 * DAY)
    in_time = decided(policies, asked("uk/cd-authorisation", by=AuthorityKind.INDEPENDENT_BODY, term=month))
    soon = decided(
        policies, asked("uk/urgent-cd-authorisation", by=POLICE, term=urgent, **EMERGENCY), authority=CONFIRMED
    )

    assert in_time.demands[0].outcome is GRANTED
    assert soon.demands[0].outcome is GRANTED


def test_an_instrument_has_to_be_in_force_when_records_leave(policies: Policies) -> None:
    """S9: one that ran out while approvals were awaited gets nothing, unless it preserves or streams."""
    after = TERM.end
    assert decided(policies, asked("us/d-order"), now=after).demands[0].outcome is Outcome.EXPIRED
    letter = request("us/preservation-letter", data(mode=Mode.PRESERVE), issued_by=POLICE)
    assert decided(policies, letter, now=after).demands[0].outcome is PRESERVED


def test_a_secret_notice_is_refused_as_the_position_of_the_operator(policies: Policies) -> None:
    """S10: the law may compel, and nobody here says that the notice is void. Counsel looks at it; nobody is told."""
    made = request("uk/technical-capability-notice", capability(Capability.GHOST_DEVICE), issued_by=DOUBLE_LOCK)
    decision = decided(policies, made)
    found = decision.demands[0]

    assert "law may compel" in (found.law or "")
    assert "position of the operator" in (found.law or "")
    assert found.escalate_to_counsel
    assert decision.notice_is_open
    assert found.reasons[0].policy_id == "invariants/capability"


def test_australian_law_itself_forbids_a_means_to_decrypt(policies: Policies) -> None:
    """S11: s.317ZG is beside the operator's own policy; a request is said to be voluntary."""
    notice = request("au/technical-capability-notice", capability(Capability.DECRYPTION), issued_by=MINISTER)
    asked_for = request("au/technical-assistance-request", capability(Capability.DECRYPTION), issued_by=AGENCY)

    assert "317ZG" in (decided(policies, notice).demands[0].law or "")
    assert "voluntary" in (decided(policies, asked_for).demands[0].law or "")


def test_an_emergency_gets_one_account_two_approvers_and_a_debt(policies: Policies) -> None:
    """S14: connections of the last 48 hours; the process that is owed; the user is told afterwards."""
    ever = Timespan(start=RECEIVED - 400 * DAY, end=RECEIVED)
    made = request(
        "us/emergency-request", data(ACCESS, targets=[ALICE, BOB], window=ever), issued_by=POLICE, **EMERGENCY
    )
    decision = decided(policies, made, authority=CONFIRMED, operator={"approvals": 1})
    found = decision.demands[0].classes[0]

    assert found.targets == (ALICE,)
    assert found.window == Timespan(start=RECEIVED - 48 * HOUR, end=RECEIVED)
    assert decision.demands[0].approvals_needed == 2
    assert decision.demands[0].follow_up_due == RECEIVED + 48 * HOUR
    assert decision.notify_not_before == RECEIVED + 48 * HOUR


def test_a_debt_is_settled_or_flagged(policies: Policies) -> None:
    """S14: the process comes, or counsel hears that it has not."""
    made = asked("us/emergency-request", ACCESS, by=POLICE, **EMERGENCY)
    events = [event(EventKind.FOLLOW_UP, DAY)]

    assert decided(policies, made, authority=CONFIRMED, now=RECEIVED + 3 * DAY).demands[0].escalate_to_counsel
    paid = decided(policies, made, authority=CONFIRMED, now=RECEIVED + 3 * DAY, events=events)
    assert (paid.demands[0].follow_up_due, paid.demands[0].escalate_to_counsel) == (None, False)


def test_silence_has_a_date_or_is_looked_at_after_a_year(policies: Policies) -> None:
    """S15: told at once, on the day, or not while a silence without an end stands."""
    until = RECEIVED + 90 * DAY
    dated = decided(
        policies, asked("us/d-order", non_disclosure=NonDisclosure(legal_basis="18 USC 2705(b)", until=until))
    )
    undated = asked(
        "us/d-order",
        non_disclosure=NonDisclosure(legal_basis="18 USC 2705(b)", until=None),
        term=Timespan(start=TERM.start, end=RECEIVED + 999 * DAY),
    )
    plain = decided(policies, asked("us/d-order"))
    soon, late = decided(policies, undated), decided(policies, undated, now=RECEIVED + 365 * DAY)

    assert (dated.notify_not_before, dated.notice_is_open) == (until, False)
    assert (plain.notify_not_before, plain.notice_is_open) == (None, False)
    assert (soon.notify_not_before, soon.notice_is_open) == (None, True)
    assert not soon.demands[0].escalate_to_counsel
    assert late.demands[0].escalate_to_counsel


def test_a_conflict_and_a_foreign_order_are_for_counsel(policies: Policies) -> None:
    """S16: whoever decides between two laws, it is not the order of the packs."""
    conflict = decided(policies, asked("us/d-order"), blocking_statutes=frozenset({"eu"})).demands[0]
    foreign = decided(policies, asked("in/informal-letter", SUBSCRIBER, by=POLICE), tenants=frozenset({"eu"})).demands[
        0
    ]

    assert conflict.escalate_to_counsel
    assert foreign.redirect_to == "mutual legal assistance"


def test_bulk_that_the_law_may_order_is_refused_and_says_so(policies: Policies) -> None:
    """S17: the operator refuses; that is its policy, and no statement about the law."""
    made = request("uk/bulk-acquisition", data(TRAFFIC, targets=[EVERYBODY]), issued_by=DOUBLE_LOCK)
    found = decided(policies, made).demands[0]

    assert "may be about everybody" in (found.classes[0].law or "")
    assert {reason.policy_id for reason in found.classes[0].reasons} >= {"invariants/bulk"}
    assert "names the accounts" in found.classes[0].would_change[0]
    assert found.escalate_to_counsel


def test_an_enterprise_is_named_as_the_one_to_ask(policies: Policies) -> None:
    """S17: and the accounts can be named instead."""
    found = decided(policies, request("us/d-order", data(targets=[GLOBEX]))).demands[0]

    assert found.redirect_to == "globex.example"
    assert "account" in found.classes[0].would_change[0]


def test_a_shutdown_is_about_the_service_and_yields_no_data(policies: Policies) -> None:
    """S18: its date and country are in the decision; data are not."""
    made = request(
        "pk/shutdown-order", service(ServiceAction.SUSPEND), data(*DataClass), issued_by=AuthorityKind.REGULATOR
    )
    closing, records = decided(policies, made).demands

    assert (closing.service, closing.service_jurisdiction) == (ServiceAction.SUSPEND, "pk")
    assert closing.service_effective == RECEIVED + 90 * DAY
    assert closing.classes == ()
    assert records.outcome is REFUSED


def test_pressure_is_no_input(policies: Policies) -> None:
    """S18: the demand for everything gets the same answer, whatever is ordered about the service beside it."""
    everything = data(*DataClass, targets=[EVERYBODY])
    alone = decided(policies, request("pk/policy-directive", everything, issued_by=MINISTER)).demands[0]
    made = request("pk/policy-directive", service(ServiceAction.SUSPEND), everything, issued_by=MINISTER)

    assert decided(policies, made).demands[1] == alone


@pytest.mark.parametrize("action", list(ServiceAction))
def test_nobody_orders_about_the_service_of_another_country(policies: Policies, action: ServiceAction) -> None:
    """S18: other countries never notice."""
    made = request("pk/shutdown-order", service(action, "uk"), issued_by=AuthorityKind.REGULATOR)

    assert decided(policies, made).demands[0].ground is Ground.NO_JURISDICTION


def test_an_account_elsewhere_is_left_out(policies: Policies) -> None:
    """A demand about two enterprises reaches the one that is at home."""
    far = Target(format=TargetFormat.USER, value="far@away.example")
    made = request("us/d-order", data(TRAFFIC, targets=[BOB, far]))
    known = facts(made)
    elsewhere = tuple(
        replace(each, jurisdictions=frozenset({"eu"})) if each.target == far else each for each in known.targets
    )
    found = decide(made, replace(known, targets=elsewhere), policies).demands[0]

    assert (found.outcome, found.classes[0].targets) == (NARROWED, (BOB,))
