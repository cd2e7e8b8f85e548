"""What holds for every request: nothing that takes something away from it, or adds a forbid, widens what comes of it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from blindrelay.policies.cedar import FORBIDDEN, RECORDS, Evaluator
from blindrelay.policies.decision import AuthorityFacts, CaseEvent, Decision, Facts, OperatorPolicy, TargetFacts
from blindrelay.policies.engine import decide
from blindrelay.policies.packs import Instrument, Policies
from blindrelay.policies.request import (
    Approval,
    Authorisation,
    CapabilityDemand,
    DataDemand,
    DeliveryType,
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
    EventKind,
    Ground,
    Mode,
    Outcome,
    Purpose,
    Scope,
    ServiceAction,
    Urgency,
)
from support.lawful import ALICE, BOB, DAY, EVERYBODY, GLOBEX, HOUR, NOBODY, RECEIVED
from support.packs import policy

SHIPPED = Policies.load()
INSTRUMENTS = [instrument for pack in SHIPPED.packs.values() for instrument in pack.manifest.instruments]
FAR = Target(format=TargetFormat.USER, value="far@away.example")
# The session-wide fixture is read only, and a decision takes long only where Cedar is asked about much.
quick = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
moments = st.integers(-60 * 24, 60 * 24).map(lambda hours: RECEIVED + hours * HOUR)


def mostly(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """Usually this: a case in which everything is odd fails at the first gate, and nothing behind it is tested."""
    return st.integers(0, 9).flatmap(lambda number: st.sampled_from(others) if number == 9 else st.just(usual))


@st.composite
def timespans(draw: st.DrawFn, around: datetime = RECEIVED) -> Timespan:
    """Most of them begin in the two months before a moment, and some reach beyond it."""
    start = around - draw(mostly(24, *range(-48, 60 * 24, 36))) * HOUR
    return Timespan(start=start, end=start + draw(st.integers(1, 24 * 90)) * HOUR)


@st.composite
def terms(draw: st.DrawFn) -> Timespan:
    """Of an instrument: usually in force, sometimes not."""
    if draw(mostly(False, True)):
        return draw(timespans())
    return Timespan(start=RECEIVED - draw(st.integers(0, 40)) * DAY, end=RECEIVED + draw(st.integers(1, 40)) * DAY)


@st.composite
def data_demands(draw: st.DrawFn, instrument: Instrument) -> DataDemand:
    ways = [Mode.STORED, Mode.PRESERVE, Mode.STREAM]
    mode = draw(st.sampled_from([mode for mode in ways if mode in instrument.modes] * 6 + ways))
    scope = draw(mostly(Scope.ACCOUNTS, Scope.TENANT, Scope.ALL_USERS))
    accounts = st.lists(st.sampled_from([BOB, ALICE, NOBODY, FAR]), min_size=1, max_size=4, unique=True)
    wider = {Scope.TENANT: [GLOBEX], Scope.ALL_USERS: [EVERYBODY]}
    return DataDemand(
        id="data",
        classes=frozenset(draw(st.sets(st.sampled_from(list(DataClass)), min_size=1))),
        mode=mode,
        scope=scope,
        targets=tuple(draw(accounts) if scope is Scope.ACCOUNTS else wider[scope]),
        window=draw(timespans(RECEIVED + 7 * DAY if mode is Mode.STREAM else RECEIVED)),
        delivery_type=draw(mostly(*DeliveryType)) if mode is Mode.STREAM else None,
    )


@st.composite
def requests(draw: st.DrawFn) -> LawfulRequest:
    """Usually with an issuer who may issue it: the rest is refused early, and nothing would be tested."""
    pack = draw(st.sampled_from(list(SHIPPED.packs.values())))
    useful = [
        each for each in pack.manifest.instruments if METADATA & set(each.reach) and each.scopes[0] is Scope.ACCOUNTS
    ]
    instrument = draw(st.sampled_from([*useful * 3, *pack.manifest.instruments]))
    kinds = st.sampled_from(instrument.issuers).flatmap(lambda kind: mostly(kind, *AuthorityKind))
    approvals = [
        Approval(role=draw(kinds), name="N", reference="1", timestamp=RECEIVED - draw(mostly(1, -1)) * DAY)
        for _ in range(draw(st.integers(0, 2)))
    ]
    secret = NonDisclosure(legal_basis="s.1", until=draw(st.none() | moments))
    authorisation = Authorisation(
        reference="1",
        instrument=instrument.id,
        jurisdiction=instrument.id.partition("/")[0],
        timespan=draw(terms()),
        approvals=approvals,
        urgency=draw(st.sampled_from(Urgency)),
        non_disclosure=draw(st.none() | st.just(secret)),
        purpose=draw(st.sampled_from(Purpose)),
        offence_max_years=draw(mostly(5, None, *range(20))),
        enforcing_authority_notified=draw(mostly(True, False)),
        harm_to_investigation=draw(mostly("stated", None)),
        emergency_grounds=draw(mostly("stated", None)),
        mutual_assistance_reference=draw(mostly("stated", None)),
    )
    more = [
        CapabilityDemand(
            id="build",
            capability=draw(st.sampled_from(Capability)),
            scope=draw(st.sampled_from(Scope)),
            description="d",
        ),
        ServiceDemand(
            id="service",
            action=draw(st.sampled_from(ServiceAction)),
            jurisdiction=draw(st.sampled_from(sorted(SHIPPED.packs))),
            effective=draw(moments),
        ),
    ]
    others = draw(st.lists(st.sampled_from(more), max_size=2, unique=True))
    return LawfulRequest(
        id="00000000-0000-0000-0000-000000000001",
        sender="authority",
        officer="O",
        receiver="relay",
        timestamp=RECEIVED,
        authorisation=authorisation,
        demands=(draw(data_demands(instrument)), *others),
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[LawfulRequest, Facts]:
    """A request and facts."""
    made = draw(requests())
    home = made.authorisation.jurisdiction
    issuers = next(each.issuers for each in INSTRUMENTS if each.id == made.authorisation.instrument)
    known = AuthorityFacts(
        "authority",
        "A",
        draw(mostly(home, "us")),
        draw(mostly(issuers[0], *AuthorityKind)),
        is_registered=draw(mostly(True, False)),
        officer_is_enrolled=draw(mostly(True, False)),
        call_back_confirmed=draw(mostly(True, None, False)),
        requests_last_day=draw(mostly(0, 99)),
    )
    at_home, tenants = frozenset({home}), {BOB: "globex.example", ALICE: "acme.example", GLOBEX: "globex.example"}
    events = st.builds(CaseEvent, st.sampled_from(EventKind), moments, st.sampled_from([None, "data", "other"]))
    found = Facts(
        now=RECEIVED + draw(mostly(1, *range(0, 2_000, 100))) * HOUR,
        received_at=RECEIVED,
        authority=known,
        targets=(
            *(TargetFacts(target, True, tenant, at_home) for target, tenant in tenants.items()),
            TargetFacts(FAR, True, "away.example", frozenset({"zz"})),
            TargetFacts(NOBODY, False, "globex.example", at_home),
        ),
        operator=OperatorPolicy(service_users={home: draw(st.sampled_from([0, 9_000_000]))}),
        events=tuple(draw(st.lists(events, max_size=2)) if draw(mostly(False, True)) else ()),
        blocking_statutes=frozenset(draw(mostly((), ("eu",)))),
    )
    return made, found


@dataclass(frozen=True)
class Given:
    """What comes of a request: for each demand, class and target the window in which records leave, or are kept."""

    windows: dict[tuple[str, str, str, str], tuple[datetime, datetime]]

    def is_within(self, other: "Given") -> bool:
        return all(
            key in other.windows and other.windows[key][0] <= start and end <= other.windows[key][1]
            for key, (start, end) in self.windows.items()
        )


def given_by(decision: Decision, *, kept: bool = True) -> Given:
    windows = {}
    for demand in decision.demands:
        if demand.outcome.discloses and not demand.classes:
            windows[demand.demand_id, "service or export", "", ""] = (RECEIVED, RECEIVED)
        for each in demand.classes:
            is_given = each.outcome.discloses or (kept and each.outcome is Outcome.PRESERVED)
            for target in each.targets if is_given else ():
                assert each.window is not None
                key = (demand.demand_id, str(each.data_class), target.value, str(each.outcome is Outcome.PRESERVED))
                windows[key] = (each.window.start, each.window.end)
    return Given(windows)


def with_data(made: LawfulRequest, **changes: Any) -> LawfulRequest:
    first = made.demands[0].model_copy(update=changes)
    return made.model_copy(update={"demands": (DataDemand.model_validate(first.model_dump()), *made.demands[1:])})


def is_without_process(made: LawfulRequest) -> bool:
    """An emergency without process gets one account: which one is a matter of who else is named."""
    return next(each.voluntary for each in INSTRUMENTS if each.id == made.authorisation.instrument)


@settings(quick, max_examples=250)
@given(cases())
def test_no_input_yields_content_or_keys(case: tuple[LawfulRequest, Facts]) -> None:
    """Whatever is asked by whomever: what leaves is metadata of named accounts, and within what was asked for."""
    made, known = case
    decision = decide(made, known, SHIPPED)
    asked = made.demands[0]
    assert isinstance(asked, DataDemand)

    for found in decision.demands:
        assert found.ground is not Ground.UNDECIDABLE
        for each in found.classes:
            if each.outcome.discloses or each.outcome is Outcome.PRESERVED:
                assert each.data_class in METADATA & asked.classes
                assert set(each.targets) <= set(asked.targets)
                assert asked.scope is Scope.ACCOUNTS
                assert each.window is not None
                assert asked.window.start <= each.window.start < each.window.end <= asked.window.end
            else:
                assert (each.targets, each.window) == ((), None)
        if not known.authority.is_registered:
            assert not found.outcome.discloses


@settings(quick, max_examples=120)
@given(cases())
def test_a_decision_can_be_made_again(case: tuple[LawfulRequest, Facts]) -> None:
    """The same case file and the same policies give the same decision, also after they were written down and read."""
    made, known = case
    again = LawfulRequest.model_validate_json(made.model_dump_json())

    assert decide(again, known, SHIPPED) == decide(made, known, SHIPPED)


@settings(quick, max_examples=60)
@given(cases())
def test_each_demand_is_decided_on_its_own(case: tuple[LawfulRequest, Facts]) -> None:
    """What else is demanded beside it, and in which order, changes nothing about a demand."""
    made, known = case
    backwards = made.model_copy(update={"demands": tuple(reversed(made.demands))})
    together = {each.demand_id: each for each in decide(made, known, SHIPPED).demands}

    assert {each.demand_id: each for each in decide(backwards, known, SHIPPED).demands} == together
    for demand in made.demands:
        alone = decide(made.model_copy(update={"demands": (demand,)}), known, SHIPPED)
        assert alone.demands[0] == together[demand.id]


CONDITIONS = (
    "",
    'when { context.scope == "accounts" }',
    'when { context.urgency == "emergency" }',
    "when { context.in_force }",
    "unless { context.offence_max_years > 4 }",
    'when { principal.kind == "judge" }',
    "when { context.offence_max_years * 9223372036854775807 > 0 }",
)
SCOPES = (
    *(
        f'action == Action::"{action}", resource{of}'
        for action in ("disclose", "preserve", "stream")
        for of in ("", *(f" is {name}" for name in RECORDS.values()))
    ),
    *(f'action == Action::"demand", resource is {name}' for name in FORBIDDEN),
    'action in [Action::"suspend", Action::"rescind"], resource is Service',
)
forbids = st.builds("forbid (principal, {}) {};".format, st.sampled_from(SCOPES), st.sampled_from(CONDITIONS))


def forbidding(instrument: str, text: str) -> Policies:
    """The shipped packs, with one forbid more in the instrument's."""
    pack = SHIPPED.packs[instrument.partition("/")[0]]
    more = Evaluator((*SHIPPED.invariants, *pack.policies, policy(text)))
    name = pack.manifest.jurisdiction
    return replace(SHIPPED, packs=MappingProxyType({**SHIPPED.packs, name: replace(pack, evaluator=more)}))


@settings(quick, max_examples=120)
@given(cases(), forbids)
def test_adding_a_forbid_never_widens(case: tuple[LawfulRequest, Facts], forbid: str) -> None:
    """Also where its condition cannot be evaluated: then the demand is refused, and not the forbid skipped."""
    made, known = case
    more = decide(made, known, forbidding(made.authorisation.instrument, forbid))

    assert given_by(more).is_within(given_by(decide(made, known, SHIPPED)))


@settings(quick, max_examples=120)
@given(cases(), st.data())
def test_narrowing_the_targets_never_widens(case: tuple[LawfulRequest, Facts], draw: st.DataObject) -> None:
    """Whoever names fewer gets no more about any."""
    made, known = case
    targets = made.demands[0].targets  # type: ignore[union-attr]
    fewer = draw.draw(st.lists(st.sampled_from(targets), min_size=1, unique=True))
    narrow = given_by(decide(with_data(made, targets=tuple(each for each in targets if each in fewer)), known, SHIPPED))
    wide = given_by(decide(made, known, SHIPPED))

    assert narrow.is_within(wide) or (is_without_process(made) and len(narrow.windows) <= len(wide.windows))


@settings(quick, max_examples=120)
@given(cases(), st.floats(0, 0.5), st.floats(0.5, 1))
def test_narrowing_the_window_never_widens(case: tuple[LawfulRequest, Facts], left: float, right: float) -> None:
    """Whoever asks for less time gets no more of it."""
    made, known = case
    asked = made.demands[0].window  # type: ignore[union-attr]
    length = asked.end - asked.start
    start, end = (asked.start + timedelta(seconds=round(length.total_seconds() * part)) for part in (left, right))
    assume(start < end)
    narrow = decide(with_data(made, window=Timespan(start=start, end=end)), known, SHIPPED)

    assert given_by(narrow).is_within(given_by(decide(made, known, SHIPPED)))


@settings(quick, max_examples=60)
@given(cases(), st.data())
def test_asking_for_fewer_classes_never_widens(case: tuple[LawfulRequest, Facts], draw: st.DataObject) -> None:
    """A class gets what it gets, whatever is asked for beside it; waiting for another authority may end with it."""
    made, known = case
    classes = sorted(made.demands[0].classes)  # type: ignore[union-attr]
    fewer = draw.draw(st.sets(st.sampled_from(classes), min_size=1))
    narrow = decide(with_data(made, classes=frozenset(fewer)), known, SHIPPED)

    assert given_by(narrow).is_within(given_by(decide(made, known, SHIPPED)))


def without(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """The document with each of its keys and each element of its lists left out, one at a time."""
    if isinstance(document, dict):
        for key in document:
            yield (*path, key), {name: value for name, value in document.items() if name != key}
            for below, changed in without(document[key], (*path, key)):
                yield below, {**document, key: changed}
    if isinstance(document, list):
        for index, item in enumerate(document):
            yield (*path, index), [*document[:index], *document[index + 1 :]]
            for below, changed in without(item, (*path, index)):
                yield below, [*document[:index], changed, *document[index + 1 :]]


@settings(quick, max_examples=25)
@given(cases())
def test_dropping_any_attribute_never_widens(case: tuple[LawfulRequest, Facts]) -> None:
    """I4: what is not stated satisfies nothing. Either the document is no request any more, or it gets no more than before."""
    made, known = case
    wide = given_by(decide(made, known, SHIPPED))
    for path, document in without(made.model_dump(mode="json")):
        try:
            less = LawfulRequest.model_validate(document)
        except ValidationError:
            continue
        narrow = given_by(decide(less, known, SHIPPED))
        in_number = is_without_process(made) and len(narrow.windows) <= len(wide.windows)
        assert narrow.is_within(wide) or in_number, path


def test_the_properties_are_not_about_nothing() -> None:
    """Of the cases above many get something, in each jurisdiction: otherwise nothing could widen."""
    seen: set[tuple[str, str]] = set()

    @settings(quick, max_examples=300, database=None, derandomize=True)
    @given(cases())
    def look(case: tuple[LawfulRequest, Facts]) -> None:
        made, known = case
        for key in given_by(decide(made, known, SHIPPED)).windows:
            seen.add((made.authorisation.jurisdiction, key[1]))

    look()
    assert {jurisdiction for jurisdiction, _ in seen} == set(SHIPPED.packs)
    assert {what for _, what in seen} >= METADATA
