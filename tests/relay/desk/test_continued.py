"""What is preserved is kept for as long as somebody waits for it to be produced, and no longer."""

from blindrelay.relay.desk.desk import Desk
from support.clerks import DAY, Office, refused


async def advance(office: Office, desk: Desk, days: int) -> None:
    """So many days pass, and the desk is asked each day."""
    for _ in range(days):
        office.clock.wall += DAY.total_seconds()
        await desk.tick()


async def test_what_is_to_be_produced_outlives_its_term(office: Office, desk: Desk) -> None:
    """An order that ends by itself is prolonged while a production waits for approval; it ends when that is settled."""
    kept = await desk.receive(office.signed(office.request(office.demand("keep", "preserve"))))
    key = f"{kept.case_id}/keep"
    term = office.outside.preserved[key].until
    await advance(office, desk, 88)
    asked = await desk.receive(office.signed(office.request(office.demand("d1", continues=key))))
    await advance(office, desk, 40)

    assert office.now > term
    assert office.outside.preserved[key].until > office.now
    for operator in ("ada", "bert"):
        await desk.approve(operator, asked.case_id, "d1")
    await desk.tick()
    assert key not in office.outside.preserved


async def test_a_term_is_not_made_longer_before_it_ends(office: Office, desk: Desk) -> None:
    """There is nothing to be done while months are left."""
    kept = await desk.receive(office.signed(office.request(office.demand("keep", "preserve"))))
    key = f"{kept.case_id}/keep"
    term = office.outside.preserved[key].until
    await desk.receive(office.signed(office.request(office.demand("d1", continues=key))))
    await advance(office, desk, 10)

    assert office.outside.preserved[key].until == term


async def test_a_refused_production_keeps_nothing(office: Office, desk: Desk) -> None:
    """It is gone on its day."""
    kept = await desk.receive(office.signed(office.request(office.demand("keep", "preserve"))))
    key = f"{kept.case_id}/keep"
    await advance(office, desk, 88)
    office.script.outcomes["d1"] = lambda facts: refused()
    await desk.receive(office.signed(office.request(office.demand("d1", continues=key))))
    await advance(office, desk, 3)

    assert key not in office.outside.preserved
