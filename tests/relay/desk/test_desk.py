"""The desk as authorities, operators and the clock meet it."""

import asyncio
from uuid import uuid4

import pytest

from blindrelay.policies.decision import DemandDecision, Facts
from blindrelay.policies.request import DataDemand
from blindrelay.policies.vocabulary import CaseState, EventKind, Ground, Outcome, TaskStatus
from blindrelay.relay.desk.desk import Desk
from blindrelay.relay.desk.errors import AlreadyFetched, CaseNotFound, NotAllowed, NothingToFetch, RequestConflict
from blindrelay.relay.desk.journal import Subject
from support.clerks import DAY, Office, approve_all, granted, held_until, opened, refused


async def test_nothing_leaves_without_two_persons(desk: Desk, office: Office) -> None:
    """A grant is no release: the first approval reviews, the second, by somebody else, releases."""
    view = await desk.receive(office.signed(office.request()))
    assert (view.state, view.demands[0].status) == (CaseState.DECIDED, TaskStatus.AWAITING_APPROVAL)

    await desk.approve("ada", view.case_id, "d1")
    with pytest.raises(NotAllowed, match="another person"):
        await desk.approve("ada", view.case_id, "d1")
    with pytest.raises(NothingToFetch):
        await desk.fetch("us-court", view.case_id, "d1", "call-1")
    assert office.outside.packages == {}

    detail = await desk.approve("bea", view.case_id, "d1")
    assert detail.view.state is CaseState.FULFILLED
    assert detail.view.demands[0].status is TaskStatus.DISCLOSED


async def test_a_signed_fetch_is_served_once(desk: Desk, office: Office) -> None:
    """The hand-over is on file before the package is out of hand, and the same call gets nothing a second time."""
    view = await desk.receive(office.signed(office.request()))
    await approve_all(desk, view)

    path = await desk.fetch("us-court", view.case_id, "d1", "call-1")

    assert path.stat().st_size > 0
    assert [row.step for row in desk.cases.rows(view.case_id)][-1] == "released"
    with pytest.raises(AlreadyFetched):
        await desk.fetch("us-court", view.case_id, "d1", "call-1")
    assert await desk.fetch("us-court", view.case_id, "d1", "call-2") == path
    assert desk.show(view.case_id).view.demands[0].package.fetched == 2  # type: ignore[union-attr]


async def test_two_calls_at_once_are_one_release(desk: Desk, office: Office) -> None:
    """Not even concurrently."""
    view = await desk.receive(office.signed(office.request()))
    await approve_all(desk, view)

    outcomes = await asyncio.gather(
        *(desk.fetch("us-court", view.case_id, "d1", "call-1") for _ in range(5)), return_exceptions=True
    )

    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, AlreadyFetched) for outcome in outcomes) == 4


async def test_an_authority_does_not_see_the_case_of_another(desk: Desk, office: Office) -> None:
    """A case of somebody else's and a case that there is not are answered with the same words, by every call."""
    view = await desk.receive(office.signed(office.request()))
    await approve_all(desk, view)

    async def words(case_id: str) -> set[str]:
        said = set()
        for call in (desk.withdraw("us-police", case_id), desk.fetch("us-police", case_id, "d1", "call-1")):
            with pytest.raises(CaseNotFound) as refusal:
                await call
            said.add(str(refusal.value))
        for ask in (desk.status, lambda *given: desk.stream(*given, "d1")):
            with pytest.raises(CaseNotFound) as refusal:
                ask("us-police", case_id)
            said.add(str(refusal.value))
        return said

    assert await words(view.case_id) == await words(str(uuid4())) == {"there is no such case"}
    assert desk.status("us-court", view.case_id).state is CaseState.FULFILLED


@pytest.mark.parametrize("subject", list(Subject))
def test_what_is_no_case_is_not_found(desk: Desk, subject: Subject) -> None:
    """The register and the door are in the same file, and nobody reads them as cases."""
    with pytest.raises(CaseNotFound):
        desk.status("", subject)
    with pytest.raises(CaseNotFound):
        desk.show(subject)


async def test_the_same_request_has_one_case(desk: Desk, office: Office) -> None:
    """An authority that did not get its answer sends the request again; another request with its id is refused."""
    request_id = uuid4()
    request = office.request(request_id=request_id)
    first = await desk.receive(office.signed(request))

    assert (await desk.receive(office.signed(request))).case_id == first.case_id
    with pytest.raises(RequestConflict):
        await desk.receive(office.signed(office.request(office.demand("d2"), request_id=request_id)))
    assert len(desk.list_cases()) == 1


async def test_what_cannot_be_decided_is_refused_and_recorded(desk: Desk, office: Office) -> None:
    """A fault in the policies discloses nothing; the file says what it was."""

    def fail(_: Facts) -> DemandDecision:
        raise ZeroDivisionError

    office.script.outcomes["d1"] = fail

    view = await desk.receive(office.signed(office.request()))

    assert view.demands[0].decision is not None
    assert view.demands[0].decision.ground is Ground.UNDECIDABLE
    assert view.state is CaseState.REFUSED
    assert "ZeroDivisionError" in desk.show(view.case_id).history[2].text
    with pytest.raises(NothingToFetch):
        await desk.fetch("us-court", view.case_id, "d1", "call-1")


async def test_what_is_no_request_is_recorded_too(desk: Desk) -> None:
    """Why it was turned away, and the digest of it."""
    await desk.refuse_unauthenticated("unauthenticated: Header", "ab" * 32)

    (row,) = desk.journal.rows(Subject.DOOR)
    assert "unauthenticated: Header" in row.body
    assert "ab" * 32 in row.body


async def test_a_person_can_refuse_what_policies_grant(desk: Desk, office: Office) -> None:
    """It is final, and the authority reads that somebody has not approved."""
    view = await desk.receive(office.signed(office.request()))
    await desk.approve("ada", view.case_id, "d1")

    await desk.reject("bea", view.case_id, "d1", "the order names somebody else")

    decision = desk.status("us-court", view.case_id).demands[0].decision
    assert decision is not None
    assert (decision.outcome, decision.ground) == (Outcome.REFUSED, Ground.NOT_APPROVED)
    assert all(item.targets == () and item.window is None for item in decision.classes)
    with pytest.raises(NotAllowed):
        await desk.approve("cyd", view.case_id, "d1")
    assert office.outside.packages == {}


async def test_an_approval_is_of_what_was_granted_then(desk: Desk, office: Office) -> None:
    """When an event changes what is granted, approvals of the earlier grant count no more."""
    demand = office.request().demands[0]
    assert isinstance(demand, DataDemand)
    later = demand.model_copy(update={"window": demand.window.model_copy(update={"start": office.now - DAY})})
    office.script.outcomes["d1"] = lambda facts: granted(later if facts.events else demand, facts)
    view = await desk.receive(office.signed(office.request()))
    await desk.approve("ada", view.case_id, "d1")

    detail = await desk.event("bea", view.case_id, EventKind.CLEARANCE)
    assert [approval.counts for approval in detail.approvals] == [False]
    await desk.approve("bea", view.case_id, "d1")
    assert office.outside.packages == {}
    await desk.approve("ada", view.case_id, "d1")
    assert len(office.outside.packages) == 1


async def test_what_was_refused_stays_refused(desk: Desk, office: Office) -> None:
    """No event turns a refusal into a grant: that takes another request."""
    demand = office.request().demands[0]
    assert isinstance(demand, DataDemand)
    office.script.outcomes["d1"] = lambda facts: granted(demand, facts) if facts.events else refused()
    view = await desk.receive(office.signed(office.request()))

    await desk.event("ada", view.case_id, EventKind.CONFIRMATION)

    assert desk.status("us-court", view.case_id).demands[0].outcome is Outcome.REFUSED


async def test_what_was_granted_can_be_taken_back(desk: Desk, office: Office) -> None:
    """A package that waits is not handed over once the agency says that the order is not its own."""
    demand = office.request().demands[0]
    assert isinstance(demand, DataDemand)

    def decide(facts: Facts) -> DemandDecision:
        if any(event.kind is EventKind.NOT_CONFIRMED for event in facts.events):
            return refused(Outcome.FRAUD_SUSPECTED, Ground.FRAUD_SIGNAL)
        return granted(demand, facts)

    office.script.outcomes["d1"] = decide
    view = await desk.receive(office.signed(office.request()))
    await approve_all(desk, view)

    await desk.event("ada", view.case_id, EventKind.NOT_CONFIRMED)

    with pytest.raises(NothingToFetch):
        await desk.fetch("us-court", view.case_id, "d1", "call-1")


async def test_an_emergency_waits_for_a_call_back(desk: Desk, office: Office) -> None:
    """Held, shown to the people at the desk with what is odd about it, and decided again when somebody has called."""
    demand = office.request().demands[0]
    assert isinstance(demand, DataDemand)
    office.script.outcomes["d1"] = held_until(EventKind.CALL_BACK_CONFIRMED, lambda facts: granted(demand, facts))
    request = office.request(urgency="emergency", emergency_grounds="a child is in danger")
    view = await desk.receive(office.signed(request))
    (line,) = desk.list_cases()
    assert line.waits_for == ("d1: a call back",)
    assert "an emergency that has not been called back" in line.signals
    with pytest.raises(NotAllowed):
        await desk.approve("ada", view.case_id, "d1")

    await desk.call_back("ada", view.case_id, confirmed=True)

    assert office.script.asked[-1].authority.call_back_confirmed is True
    assert desk.status("us-court", view.case_id).demands[0].outcome is Outcome.GRANTED


async def test_whoever_uses_an_agencys_name_is_shown_to_somebody(desk: Desk, office: Office) -> None:
    """The agency does not know of it: that is on file, and a person is told whom to tell. Once, whenever somebody looks."""
    office.script.outcomes["d1"] = held_until(
        EventKind.CALL_BACK_DENIED, lambda _: refused(Outcome.FRAUD_SUSPECTED, Ground.FRAUD_SIGNAL)
    )
    view = await desk.receive(office.signed(office.request(urgency="emergency", emergency_grounds="a child")))

    await desk.call_back("ada", view.case_id, confirmed=False)
    await desk.tick()

    (line,) = desk.list_cases()
    assert any("tell the agency whose name was used" in signal for signal in line.signals)
    assert [row.step for row in desk.cases.rows(view.case_id)].count("raised") == 1


async def test_a_call_back_needs_a_number_of_our_own(desk: Desk, office: Office) -> None:
    """A number that came with the request proves nothing."""
    card = office.card("us-sheriff", "R. Roe")
    desk.register.enter(card, jurisdiction="us", kind=card.kind, entered_by="ada", at=office.now)
    office.script.outcomes["d1"] = lambda _: refused(Outcome.HELD, None)
    view = await desk.receive(office.signed(office.request(), "us-sheriff"))

    with pytest.raises(NotAllowed, match="no number on record"):
        await desk.call_back("ada", view.case_id, confirmed=True)
    await desk.call_back("ada", view.case_id, confirmed=False)


async def test_withdrawal_ends_what_runs(desk: Desk, office: Office) -> None:
    """What has not left does not leave, streams stop, preservation ends."""
    view = await desk.receive(
        office.signed(
            office.request(office.demand("d1"), office.demand("d2", "preserve"), office.demand("d3", "stream"))
        )
    )
    for person in ("ada", "bea"):
        await desk.approve(person, view.case_id, "d3")
    assert list(office.outside.preserved) == [f"{view.case_id}/d2"]

    view = await desk.withdraw("us-court", view.case_id)

    assert view.state is CaseState.WITHDRAWN
    assert {demand.outcome for demand in view.demands} == {Outcome.WITHDRAWN}
    assert office.outside.preserved == {}
    assert office.outside.ended == [f"{view.case_id}/d3"]
    with pytest.raises(NotAllowed):
        await desk.approve("ada", view.case_id, "d1")


async def test_a_failing_disk_makes_nothing_and_is_tried_again(desk: Desk, office: Office) -> None:
    """A package that cannot be written is not on file; the next tick makes it."""
    office.outside.failing.add("packages")
    view = await desk.receive(office.signed(office.request()))
    await approve_all(desk, view)
    assert desk.status("us-court", view.case_id).demands[0].status is TaskStatus.AWAITING_DISCLOSURE
    with pytest.raises(NothingToFetch):
        await desk.fetch("us-court", view.case_id, "d1", "call-1")

    office.outside.failing.clear()
    await desk.tick()

    assert desk.status("us-court", view.case_id).demands[0].status is TaskStatus.DISCLOSED


async def test_an_order_whose_port_failed_is_given_again(desk: Desk, office: Office) -> None:
    """It is on file as begun, so it has to begin."""
    office.outside.failing.add("preservation")
    view = await desk.receive(office.signed(office.request(office.demand("d1", "preserve"))))
    assert office.outside.preserved == {}

    office.outside.failing.clear()
    await desk.tick()

    assert list(office.outside.preserved) == [f"{view.case_id}/d1"]


async def test_a_package_that_is_not_the_one_that_was_made_is_kept_back(desk: Desk, office: Office) -> None:
    """Nothing damaged is handed over, and nothing is written down as handed over."""
    view = await desk.receive(office.signed(office.request()))
    await approve_all(desk, view)
    (office.folder / "packages" / view.case_id / "d1.package").write_bytes(b"short")

    with pytest.raises(NothingToFetch, match="damaged"):
        await desk.fetch("us-court", view.case_id, "d1", "call-1")
    assert [row.step for row in desk.cases.rows(view.case_id)].count("released") == 0


async def test_nothing_comes_of_a_test(desk: Desk, office: Office) -> None:
    """It is decided and answered; nothing of it is released, kept, passed on or done to the service, and no approval helps.

    It is in no report and breaks no canary, so that nothing may come of it that should be there.
    """
    demands = (office.demand("d1"), office.demand("d2", "preserve"), office.demand("d3", "stream"))
    service = {"kind": "service", "id": "d4", "action": "suspend", "jurisdiction": "us", "effective": office.now + DAY}
    view = await desk.receive(office.signed(office.request(*demands, service, is_test=True)))

    assert [demand.outcome for demand in view.demands[:3]] == [Outcome.GRANTED, Outcome.PRESERVED, Outcome.GRANTED]
    assert {demand.status for demand in view.demands} == {TaskStatus.CANCELLED}
    for demand in view.demands:
        with pytest.raises(NotAllowed, match="does not wait"):
            await desk.approve("ada", view.case_id, demand.demand_id)
    assert desk.list_cases()[0].waits_for == ()
    outside = office.outside
    assert (outside.packages, outside.preserved, outside.streams, outside.services, outside.notices) == ({},) * 5
    with pytest.raises(NothingToFetch):
        await desk.fetch("us-court", view.case_id, "d1", "call-1")
    with pytest.raises(NothingToFetch):
        desk.stream("us-court", view.case_id, "d3")


async def test_who_hangs_up_does_not_stop_a_step(desk: Desk, office: Office) -> None:
    """A cancelled call leaves no half of a case behind."""
    call = asyncio.ensure_future(desk.receive(office.signed(office.request())))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await desk.close()

    with opened(office) as after:
        (line,) = after.list_cases()
    assert line.state is CaseState.DECIDED
