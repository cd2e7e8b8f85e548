"""Scenarios are played against a whole relay: what holds passes, and whatever does not is found, each by its name."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy

from blindrelay.policies.scenarios import expectations
from blindrelay.policies.scenarios.document import parse, read
from blindrelay.proofs.scenarios.clock import VirtualClock
from blindrelay.proofs.scenarios.docket import Docket
from blindrelay.proofs.scenarios.player import play
from blindrelay.proofs.scenarios.results import Result
from blindrelay.proofs.scenarios.world import World
from blindrelay.relay.store import tables

TEMPLATE = Path(__file__).parents[3] / "cli" / "new.scenario.yaml"
HEAD = TEMPLATE.read_text(encoding="utf-8").partition("steps:\n")[0]
DEMAND = """\
  - at: 2026-03-10T10:00:00Z
    demand:
      case: first
      by: prosecutor
      under: subpoena
      asks:
        - id: alice
          classes: [SUBSCRIBER, TRAFFIC]
          targets: [alice@acme.example]
          window: {from: 2026-03-01, until: 2026-03-10}
"""


async def played(steps: str, head: str = HEAD) -> Result:
    """The world of the template, and these steps."""
    return await play(parse(f"{head}steps:\n{steps}", Path("mine.scenario.yaml")))


def where(result: Result) -> set[str]:
    """Which expectations did not hold."""
    assert result.error is None, result.error
    return {finding.where for finding in result.findings}


async def test_the_scenario_to_start_from_passes() -> None:
    """What `scenario new` writes is a scenario in which everything is as expected, and its timeline is whole."""
    result = await play(read(TEMPLATE))

    assert result.passed, result.failure()
    assert result.checked >= 20
    assert result.searched > 1_000_000
    assert result.disclosed == 0
    assert [f"{entry.at:%m-%d %H}" for entry in result.entries] == ["03-03 09", "03-10 10", "03-10 11", "03-10 11"]


async def test_everything_else_that_can_happen_happens() -> None:
    """A withdrawal, a person's refusal, an event, a letter and a fetch in a step, the operator's own act, a restart."""
    result = await played(
        DEMAND
        + """\
  - {after: PT1M, reject: {demand: first/alice, by: anna, reason: It names nobody who did anything.}}
  - {after: PT1M, restart: true, expect: {cases: {first: {state: refused}}}}
  - {after: PT1M, send: {id: second, from: bob@globex.example, to: alice@acme.example, text: "It has ended already.",
      fetched: false}, expect: {mail: {second: waiting}}}
  - {after: PT1M, collect: [alice@acme.example], expect: {mail: {second: delivered}}}
  - {after: PT1M, operate: {jurisdiction: us, action: suspend}, expect: {service: {us: suspended}}}
  - {after: PT1M, send: {id: third, from: alice@acme.example, to: bob@globex.example, text: "Does anybody hear me now?"},
      expect: {mail: {third: {state: refused, reason: suspended}}}}
"""
        + DEMAND.replace("case: first", "case: again").replace("at: 2026-03-10T10", "at: 2026-03-11T10")
        + """\
  - {after: PT1M, withdraw: again, expect: {cases: {again: {state: withdrawn}}, packages: {again/alice: {released: false}}}}
"""
    )

    assert result.passed, result.failure()


async def test_every_expectation_has_been_seen_to_fail() -> None:
    """A step in which everything that can be expected of a world is expected wrongly: nothing of it passes unseen."""
    result = await played(
        DEMAND
        + """\
  - {after: PT1H, approve: {demand: first/alice, by: [anna, boris]}}
  - after: PT1H
    expect:
      decisions: {first/alice: refused}
      packages: {first/alice: {released: false}}
      streams: {first/alice: {records: {TRAFFIC: 1}, ended: true}}
      cases:
        first:
          state: refused
          admitted: false
          letter: [something that no lawyer writes]
          letter_lacks: [subpoena]
          history: [received, received]
          waits_for: [approval]
          signals: [fraud]
          notify_not_before: 2027-01-01
          notice_is_open: true
          listed: true
      notices: {alice@acme.example: {count: 9, mentions: [globex]}}
      service: {us: {state: suspended, effective: 2026-03-09, overdue: true}}
      mail: {offer: {state: waiting, reason: full}}
      reported: {us: 3}
      canary: {us: false}
"""
    )
    expected = {
        "decisions.first/alice.outcome",
        "packages.first/alice.released",
        "packages.first/alice.records.SUBSCRIBER",
        "streams.first/alice.records.TRAFFIC",
        "streams.first/alice.ended",
        *(f"cases.first.{name}" for name in expectations.CaseExpectation.model_fields),
        "notices.alice@acme.example.count",
        "notices.alice@acme.example.mentions",
        *(f"service.us.{name}" for name in expectations.ServiceExpectation.model_fields),
        *(f"mail.offer.{name}" for name in expectations.MailExpectation.model_fields),
        "reported.us",
        "canary.us",
    }

    assert where(result) == expected
    assert {name.partition(".")[0] for name in expected} == set(expectations.Expectations.model_fields)


async def test_a_failure_shows_how_it_came_to_it() -> None:
    """File and line, expectation, what was found, and the decision: policies, attributes, what would have had to differ."""
    result = await played(f"{DEMAND}    expect: {{decisions: {{first/alice: {{classes: {{TRAFFIC: granted}}}}}}}}\n")
    told = result.failure()

    assert re.search(r"mine\.scenario\.yaml:\d+: 2026-03-10 10:00: ", told)
    for phrase in (
        "decisions.first/alice.TRAFFIC.outcome",
        "expected: granted",
        "found:    refused",
        "instrument: us/subpoena, issued by prosecutor",
        "authority: prosecutor, prosecutor of us, registered: yes",
        "us/us-subpoena-subscriber [S] at packs/us/stored.cedar:",
        "would change it: ",
        "us/d-order",
    ):
        assert phrase in told


async def test_an_authority_that_nobody_knows_is_told_nothing() -> None:
    """Its request is not taken, no case is opened, and an expectation about a decision says why there is none."""
    head = HEAD.replace("    officers: [Jordan Reyes]", "    officers: [Jordan Reyes]\n    registered: false")
    good = await played(f"{DEMAND}    expect: {{cases: {{first: {{admitted: false}}}}}}\n", head)
    bad = await played(f"{DEMAND}    expect: {{cases: {{first: {{}}}}, decisions: {{first/alice: granted}}}}\n", head)

    assert good.passed, good.failure()
    assert where(bad) == {"cases.first.admitted", "decisions.first/alice"}
    assert "the request was not taken" in bad.failure()


async def test_an_approval_that_should_not_be_allowed_is_found_when_it_is() -> None:
    """And the other way round: of each person, with how the demand was decided, and what comes afterwards is looked at, too."""
    allowed = f"{DEMAND}  - {{after: PT1M, approve: {{demand: first/alice, by: [anna], refused: true}}}}\n"
    refused = f"""{DEMAND.replace("SUBSCRIBER, TRAFFIC", "TRAFFIC")}\
  - {{after: PT1M, approve: {{demand: first/alice, by: [anna, boris]}},
      expect: {{decisions: {{first/alice: granted}}}}}}
"""
    result = await played(refused)

    assert where(await played(allowed)) == {"approve.first/alice.refused"}
    assert where(result) == {
        "approve.first/alice.anna",
        "approve.first/alice.refused",
        "decisions.first/alice.outcome",
    }
    assert "does not wait for an approval" in result.failure()
    assert "would change it: An instrument that reaches traffic records" in result.failure()


async def test_what_cannot_be_done_ends_the_run_with_a_sentence() -> None:
    """An event that does not fit is no expectation that failed, and no traceback either."""
    result = await played(f"{DEMAND}  - {{after: PT1M, event: {{case: first, kind: approval}}}}\n")

    assert not result.passed
    assert result.error is not None
    assert result.error.startswith("it could not be played to its end at 2026-03-10 10:01: NotAllowed")


@pytest.mark.parametrize("place", ["a file", "an answer"])
async def test_what_people_wrote_is_found_when_it_leaks(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A saboteur writes a letter's words to the relay's disk, or into an answer to the authority."""
    hand_in = Docket.hand_in

    async def sabotaged(docket: Docket, demand):  # type: ignore[no-untyped-def]
        filed = await hand_in(docket, demand)
        if place == "a file":
            (docket._world.data / "notes").write_text("she wrote: The offer ends on Friday. Interesting.")
        else:
            filed.answers.append("she wrote: The offer ends on Friday.")
        return filed

    monkeypatch.setattr(Docket, "hand_in", sabotaged)
    result = await played(DEMAND)

    assert where(result) == {"step.canary", "always.canary"} if place == "a file" else {"step.canary"}
    assert result.disclosed == len("The offer ends on Friday.")
    assert ("notes" if place == "a file" else "what prosecutor was told of first") in result.failure()


async def test_a_letter_that_is_lost_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A saboteur deletes what was accepted and waits; nobody expected anything about it."""
    send = World.send

    async def sabotaged(world: World, letter):  # type: ignore[no-untyped-def]
        posted = await send(world, letter)
        await world.relay.committer.run(
            lambda connection: connection.execute(sqlalchemy.delete(tables.envelope)) and None
        )
        return posted

    monkeypatch.setattr(World, "send", sabotaged)
    result = await played(DEMAND, HEAD.replace('ends on Friday."}', 'ends on Friday.", fetched: false}'))

    assert where(result) == {"always.mail.offer.lost"}


async def test_a_letter_that_nobody_fetches_expires() -> None:
    """After a month it is gone, and it is not lost."""
    result = await played(
        "  - {at: 2026-04-03, expect: {mail: {offer: expired}}}\n",
        HEAD.replace('ends on Friday."}', 'ends on Friday.", fetched: false}'),
    )

    assert result.passed, result.failure()


def test_the_clock_does_not_go_back() -> None:
    """It moves on, and both of its questions have one answer."""
    clock = VirtualClock(datetime(2015, 7, 22, tzinfo=UTC))
    clock.advance_to(datetime(2015, 12, 31, tzinfo=UTC))

    assert (clock.now(), clock.monotonic()) == (clock.moment.timestamp(),) * 2
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance_to(datetime(2015, 12, 30, tzinfo=UTC))
