"""What time makes due at the desk: the clock is set, and `tick` does the rest."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from blindrelay.policies.decision import DemandDecision, Facts
from blindrelay.policies.request import DataDemand
from blindrelay.policies.vocabulary import CaseState, EventKind, Ground, Outcome, TaskStatus
from blindrelay.relay.desk.case import Case
from blindrelay.relay.desk.desk import Desk
from blindrelay.relay.desk.errors import NotAllowed, NothingToFetch, NotRecorded
from blindrelay.relay.desk.views import CaseView
from support.clerks import DAY, Office, approve_all, granted, refused


def wait(office: Office, time: timedelta) -> None:
    """Let time pass."""
    office.clock.advance(time.total_seconds())


def steps_of(desk: Desk, view: CaseView) -> list[str]:
    """What is on file, in order."""
    return [row.step for row in desk.cases.rows(view.case_id)]


def with_changes(office: Office, **changes: object) -> None:
    """Everything is granted, with these changes to the decision."""
    demand = office.request().demands[0]
    assert isinstance(demand, DataDemand)
    office.script.outcomes["d1"] = lambda facts: granted(demand, facts, **changes)


async def test_a_release_waits_for_its_date(desk: Desk, office: Office) -> None:
    """An enforcing authority may object for ten days: nothing leaves before, though everybody here has approved."""
    with_changes(office, release_not_before=office.now + 10 * DAY)
    view = await desk.receive(office.signed(office.request()))
    await approve_all(desk, view)

    wait(office, 10 * DAY - timedelta(seconds=1))
    await desk.tick()
    assert office.outside.packages == {}
    with pytest.raises(NothingToFetch):
        await desk.fetch("us-court", view.case_id, "d1", "call-1")

    wait(office, timedelta(seconds=1))
    await desk.tick()
    assert list(office.outside.packages) == [f"{view.case_id}/d1"]


def in_force(office: Office) -> None:
    """The policies give what is asked for up to the instrument's end, to whom is registered."""
    request = office.request()
    demand = request.demands[0]
    assert isinstance(demand, DataDemand)

    def decide(facts: Facts) -> DemandDecision:
        if not facts.authority.is_registered:
            return refused(ground=Ground.UNAUTHENTICATED)
        if facts.now >= request.authorisation.timespan.end:
            return refused(Outcome.EXPIRED, Ground.EXPIRED)
        return granted(demand, facts)

    office.script.outcomes["d1"] = decide


async def test_nothing_leaves_under_an_instrument_that_has_ended(desk: Desk, office: Office) -> None:
    """In force when it was decided, and the second person comes too late: what leaves is decided as of when it leaves."""
    in_force(office)
    view = await desk.receive(office.signed(office.request()))
    await desk.approve("ada", view.case_id, "d1")

    wait(office, 10 * DAY)
    with pytest.raises(NotAllowed, match="does not wait for an approval"):
        await desk.approve("bea", view.case_id, "d1")

    assert office.outside.packages == {}
    assert desk.status("us-court", view.case_id).demands[0].outcome is Outcome.EXPIRED


async def test_nobody_waits_for_what_has_ended(desk: Desk, office: Office) -> None:
    """When an instrument ends, its demands have expired, and the people at the desk have one thing less on their list."""
    in_force(office)
    view = await desk.receive(office.signed(office.request()))
    assert desk.list_cases()[0].waits_for == ("d1: approval 1 of 2",)

    wait(office, 10 * DAY)
    await desk.tick()
    await desk.tick()

    assert desk.list_cases()[0].waits_for == ()
    assert desk.status("us-court", view.case_id).demands[0].outcome is Outcome.EXPIRED
    assert steps_of(desk, view).count("decided") == 2


async def test_nothing_leaves_to_whom_the_register_does_not_know_any_more(desk: Desk, office: Office) -> None:
    """It counts as it is when something is to leave."""
    in_force(office)
    view = await desk.receive(office.signed(office.request()))
    await desk.approve("ada", view.case_id, "d1")

    wait(office, DAY)
    desk.register.strike("us-court", entered_by="ada", at=office.now)
    await desk.approve("bea", view.case_id, "d1")

    assert office.outside.packages == {}
    assert desk.show(view.case_id).view.demands[0].outcome is Outcome.REFUSED


async def test_what_was_produced_in_time_can_be_fetched_afterwards(desk: Desk, office: Office) -> None:
    """A package that was made while the instrument was in force waits to be fetched, whatever is decided anew after its end."""
    in_force(office)
    view = await desk.receive(office.signed(office.request()))
    await approve_all(desk, view)

    wait(office, 11 * DAY)
    await desk.event("ada", view.case_id, EventKind.FOLLOW_UP)

    assert (await desk.fetch("us-court", view.case_id, "d1", "call-1")).read_bytes() != b""
    assert desk.status("us-court", view.case_id).demands[0].status is TaskStatus.DISCLOSED


async def test_an_objection_blocks_and_a_clearance_releases(desk: Desk, office: Office) -> None:
    """Decided again in the light of what the authority says; approvals of the same grant still count."""
    demand = office.request().demands[0]
    assert isinstance(demand, DataDemand)

    def decide(facts: Facts) -> DemandDecision:
        kinds = {event.kind for event in facts.events}
        if EventKind.OBJECTION in kinds:
            return refused(ground=Ground.OBJECTED)
        until = None if EventKind.CLEARANCE in kinds else facts.received_at + 10 * DAY
        return granted(demand, facts, release_not_before=until)

    office.script.outcomes["d1"] = decide
    cleared, blocked = [await desk.receive(office.signed(office.request())) for _ in range(2)]
    for view in (cleared, blocked):
        await approve_all(desk, view)

    wait(office, 3 * DAY)
    await desk.event("ada", cleared.case_id, EventKind.CLEARANCE)
    await desk.event("ada", blocked.case_id, EventKind.OBJECTION)
    wait(office, 20 * DAY)
    await desk.tick()

    assert list(office.outside.packages) == [f"{cleared.case_id}/d1"]
    assert desk.status("us-court", blocked.case_id).state is CaseState.REFUSED


async def test_preservation_ends_on_its_day(desk: Desk, office: Office) -> None:
    """Kept to the last second, not a second longer."""
    view = await desk.receive(office.signed(office.request(office.demand("d1", "preserve"))))
    assert desk.status("us-court", view.case_id).demands[0].status is TaskStatus.PRESERVED

    wait(office, 90 * DAY - timedelta(seconds=1))
    await desk.tick()
    assert office.outside.preserved != {}
    wait(office, timedelta(seconds=1))
    await desk.tick()
    assert office.outside.preserved == {}
    assert desk.status("us-court", view.case_id).demands[0].status is TaskStatus.EXPIRED


async def test_a_renewal_prolongs_and_comes_in_time_or_not_at_all(desk: Desk, office: Office) -> None:
    """On day 80 it adds 90 days; when preservation has ended nothing is left to renew."""
    demand = office.request(office.demand("d1", "preserve")).demands[0]
    assert isinstance(demand, DataDemand)

    def decide(facts: Facts) -> DemandDecision:
        days = 180 if any(event.kind is EventKind.RENEWAL for event in facts.events) else 90
        return granted(demand, facts, preserved_until=facts.received_at + days * DAY)

    office.script.outcomes["d1"] = decide
    renewed, late = [
        await desk.receive(office.signed(office.request(office.demand("d1", "preserve")))) for _ in range(2)
    ]

    wait(office, 80 * DAY)
    await desk.event("ada", renewed.case_id, EventKind.RENEWAL, "d1")
    wait(office, 11 * DAY)
    await desk.tick()
    assert list(office.outside.preserved) == [f"{renewed.case_id}/d1"]
    assert office.outside.preserved[f"{renewed.case_id}/d1"].until == renewed.received_at + 180 * DAY
    with pytest.raises(NotAllowed, match="closed"):
        await desk.event("ada", late.case_id, EventKind.RENEWAL, "d1")
    assert list(office.outside.preserved) == [f"{renewed.case_id}/d1"]


async def test_what_is_to_be_produced_is_kept_until_it_is(desk: Desk, office: Office) -> None:
    """A production that continues a preservation holds it past its day, until the package is made."""
    kept = await desk.receive(office.signed(office.request(office.demand("d1", "preserve"))))
    wait(office, 89 * DAY)
    produced = await desk.receive(office.signed(office.request(office.demand("p1", continues=f"{kept.case_id}/d1"))))
    wait(office, 5 * DAY)
    await desk.tick()
    assert list(office.outside.preserved) == [f"{kept.case_id}/d1"]
    assert office.script.asked[-1].preservations[0].reference == f"{kept.case_id}/d1"

    await approve_all(desk, produced)
    await desk.tick()

    assert office.outside.preserved == {}


async def test_another_authority_keeps_nothing_alive(desk: Desk, office: Office) -> None:
    """Naming somebody else's preservation holds nothing, and shows nothing of it to the policies."""
    kept = await desk.receive(office.signed(office.request(office.demand("d1", "preserve"))))
    await desk.receive(office.signed(office.request(office.demand("p1", continues=f"{kept.case_id}/d1")), "us-police"))
    assert office.script.asked[-1].preservations == ()

    wait(office, 90 * DAY)
    await desk.tick()

    assert office.outside.preserved == {}


async def test_a_stream_ends_by_itself(desk: Desk, office: Office) -> None:
    """At the end of its span it is over on file; nobody cuts its reader off."""
    view = await desk.receive(office.signed(office.request(office.demand("d1", "stream"))))
    await approve_all(desk, view)
    demand = desk.status("us-court", view.case_id).demands[0]
    assert (demand.status, demand.stream_is_active) == (TaskStatus.ACTIVE, True)

    wait(office, 5 * DAY)
    await desk.tick()

    assert desk.status("us-court", view.case_id).demands[0].status is TaskStatus.EXPIRED
    assert office.outside.ended == []
    assert desk.status("us-court", view.case_id).state is CaseState.FULFILLED


async def test_users_are_told_at_once_or_when_they_may_be(desk: Desk, office: Office) -> None:
    """Without an order not to tell, with the package; with one, when it ends; without an end, not at all."""
    at_once = await desk.receive(office.signed(office.request()))
    await approve_all(desk, at_once)
    assert list(office.outside.notices) == [f"{at_once.case_id}/d1"]

    office.script.notify_not_before = office.now + 30 * DAY
    later = await desk.receive(office.signed(office.request()))
    await approve_all(desk, later)
    office.script.notice_is_open = True
    never = await desk.receive(office.signed(office.request()))
    await approve_all(desk, never)
    assert f"{later.case_id}/d1" not in office.outside.notices

    wait(office, 30 * DAY)
    await desk.tick()

    assert set(office.outside.notices) == {f"{at_once.case_id}/d1", f"{later.case_id}/d1"}
    notice = office.outside.notices[f"{later.case_id}/d1"]
    assert [target.value for target in notice.targets] == ["bob@globex.example"]
    assert steps_of(desk, later).count("ended") == 1


async def test_a_notice_that_failed_is_given_later(desk: Desk, office: Office) -> None:
    """And once."""
    office.outside.failing.add("notices")
    view = await desk.receive(office.signed(office.request()))
    await approve_all(desk, view)
    assert office.outside.notices == {}

    office.outside.failing.clear()
    for _ in range(3):
        await desk.tick()

    assert list(office.outside.notices) == [f"{view.case_id}/d1"]
    assert steps_of(desk, view).count("ended") == 1


async def test_nobody_is_told_of_what_never_left(desk: Desk, office: Office) -> None:
    """A request that was taken back before anybody fetched anything leaves no notice owed."""
    office.script.notify_not_before = office.now + 30 * DAY
    unfetched, fetched = [await desk.receive(office.signed(office.request())) for _ in range(2)]
    for view in (unfetched, fetched):
        await approve_all(desk, view)
    await desk.fetch("us-court", fetched.case_id, "d1", "call-1")
    for view in (unfetched, fetched):
        await desk.withdraw("us-court", view.case_id)

    wait(office, 31 * DAY)
    await desk.tick()

    assert list(office.outside.notices) == [f"{fetched.case_id}/d1"]
    assert [target.value for target in office.outside.notices[f"{fetched.case_id}/d1"].targets] == [
        "bob@globex.example"
    ]


async def test_an_undated_gag_is_looked_at_every_year(desk: Desk, office: Office) -> None:
    """After a year it shows, and after another one again; nobody is told by that."""
    office.script.notice_is_open = True
    view = await desk.receive(office.signed(office.request()))
    await approve_all(desk, view)
    for days, times in ((364, 0), (1, 1), (364, 1), (1, 2)):
        wait(office, days * DAY)
        await desk.tick()
        assert steps_of(desk, view).count("raised") == times
    assert "no end is named" in desk.list_cases()[0].signals[-1]
    assert office.outside.notices == {}


async def test_a_follow_up_that_does_not_come_shows(desk: Desk, office: Office) -> None:
    """After an emergency the process is owed by a day; one that has come is not asked for."""
    with_changes(office, follow_up_due=office.now + 2 * DAY)
    owed, came = [await desk.receive(office.signed(office.request())) for _ in range(2)]
    for view in (owed, came):
        await approve_all(desk, view)
    await desk.event("ada", came.case_id, EventKind.FOLLOW_UP)

    wait(office, 2 * DAY)
    await desk.tick()
    await desk.tick()

    assert steps_of(desk, owed).count("raised") == 1
    assert steps_of(desk, came).count("raised") == 0
    assert any("has not come" in signal for signal in desk.list_cases()[0].signals)
    await desk.event("ada", owed.case_id, EventKind.FOLLOW_UP)
    assert not any("has not come" in signal for signal in desk.list_cases()[0].signals)


async def test_what_an_emergency_owes_outlives_its_withdrawal(desk: Desk, office: Office) -> None:
    """Taken back after the package was fetched, it still owes its process; that can be written down, and nothing else can."""
    with_changes(office, follow_up_due=office.now + 2 * DAY)
    view = await desk.receive(office.signed(office.request()))
    await approve_all(desk, view)
    await desk.fetch("us-court", view.case_id, "d1", "call-1")
    await desk.withdraw("us-court", view.case_id)
    wait(office, 31 * DAY)
    await desk.tick()
    assert any("has not come" in signal for signal in desk.list_cases()[0].signals)

    with pytest.raises(NotAllowed, match="withdrawn"):
        await desk.event("ada", view.case_id, EventKind.CLEARANCE)
    await desk.event("ada", view.case_id, EventKind.FOLLOW_UP)
    await desk.tick()

    assert desk.list_cases() == []


async def test_a_case_closes_when_nothing_is_owed(desk: Desk, office: Office) -> None:
    """Packages can be fetched for thirty days; then they are deleted and the case is closed."""
    view = await desk.receive(office.signed(office.request()))
    await approve_all(desk, view)
    wait(office, 30 * DAY - timedelta(seconds=1))
    await desk.tick()
    path = await desk.fetch("us-court", view.case_id, "d1", "call-1")

    wait(office, timedelta(seconds=1))
    await desk.tick()

    assert desk.status("us-court", view.case_id).state is CaseState.CLOSED
    assert not path.exists()
    assert desk.list_cases() == []
    with pytest.raises(NothingToFetch):
        await desk.fetch("us-court", view.case_id, "d1", "call-2")


async def test_orders_are_listed_every_fifteen_days(desk: Desk, office: Office) -> None:
    """India, rule 18: each list once; what is not confirmed before the next one is not believed."""
    changes = {"instrument": "in/s69-direction", "jurisdiction": "in"}
    start = datetime(2026, 3, 5, tzinfo=UTC)  # of a period: 20,517 days after 1970 are 1,367 full ones and 12 days
    office.clock.wall = (start - (start - datetime(1970, 1, 1, tzinfo=UTC)) % (15 * DAY)).timestamp()
    demand = office.request().demands[0]
    assert isinstance(demand, DataDemand)

    def decide(facts: Facts) -> DemandDecision:
        if any(event.kind is EventKind.NOT_CONFIRMED for event in facts.events):
            return refused(Outcome.FRAUD_SUSPECTED, Ground.FRAUD_SIGNAL)
        return granted(demand, facts)

    office.script.outcomes["d1"] = decide
    genuine, doubtful = [await desk.receive(office.signed(office.request(**changes))) for _ in range(2)]
    await desk.receive(office.signed(office.request()))

    wait(office, 15 * DAY - timedelta(seconds=1))
    await desk.tick()
    assert desk.order_lists() == []
    wait(office, timedelta(seconds=1))
    await desk.tick()
    await desk.tick()
    (listed,) = desk.order_lists()
    assert listed.cases == (genuine.case_id, doubtful.case_id)

    await desk.event("ada", genuine.case_id, EventKind.CONFIRMATION)
    wait(office, 15 * DAY)
    await desk.tick()

    assert desk.order_lists()[0].confirmed == (genuine.case_id,)
    assert desk.status("us-court", genuine.case_id).demands[0].outcome is Outcome.GRANTED
    assert desk.status("us-court", doubtful.case_id).demands[0].outcome is Outcome.FRAUD_SUSPECTED


async def test_a_desk_that_was_away_does_what_it_missed(office: Office) -> None:
    """Dates that came while the relay was down are due at its start."""
    desk = office.desk()
    await desk.start()
    with_changes(office, release_not_before=office.now + 10 * DAY)
    view = await desk.receive(office.signed(office.request()))
    kept = await desk.receive(office.signed(office.request(office.demand("d2", "preserve"))))
    await approve_all(desk, view)
    await desk.close()

    wait(office, 91 * DAY)
    desk = office.desk()
    await desk.start()

    assert f"{view.case_id}/d1" in office.outside.packages
    assert f"{kept.case_id}/d2" not in office.outside.preserved
    await desk.close()


async def test_the_clock_goes_on_when_the_file_cannot_be_written(
    desk: Desk, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full for a moment ends nothing but the moment: what was due is done at the next look."""
    await desk.receive(office.signed(office.request(instrument="in/section-69-direction", jurisdiction="in")))
    await desk.receive(office.signed(office.request(office.demand("d1", "preserve"))))
    wait(office, 90 * DAY)

    def full(*_: object) -> None:
        raise NotRecorded("the case file cannot be written, so nothing is done")

    with monkeypatch.context() as disk:
        disk.setattr(desk.journal, "append", full)
        await desk.tick()
    assert desk.order_lists() == []
    assert office.outside.preserved != {}

    await desk.tick()
    assert len(desk.order_lists()) == 1
    assert office.outside.preserved == {}


async def test_many_open_cases_are_gone_through_once_and_hold_nobody_up(
    desk: Desk, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look at the clock costs a look at each case, however many there are; what else the relay does goes on in between."""
    for _ in range(10):
        await desk.receive(office.signed(office.request()))
    await desk.receive(office.signed(office.request(office.demand("d1", "preserve"))))
    looks, rounds = 0, 0
    listed = desk.cases.open_cases

    def counted() -> list[Case]:
        nonlocal looks
        looks += 1
        return listed()

    async def others() -> None:
        nonlocal rounds
        while True:
            rounds += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(desk.cases, "open_cases", counted)
    working = asyncio.create_task(others())
    await desk.tick()
    working.cancel()

    assert looks <= 3
    assert rounds > 11
