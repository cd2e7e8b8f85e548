"""A scenario's people, on a running relay."""

import resource
from pathlib import Path

import pytest

from blindrelay.clients.errors import NotPossible
from blindrelay.clients.simulation import company, trace
from blindrelay.clients.simulation.events import Scenario
from blindrelay.clients.simulation.model import Shape, imagine, tenant_names
from blindrelay.clients.simulation.player import Player
from blindrelay.clients.simulation.tally import Summary
from blindrelay.protocol.clock import SystemClock
from blindrelay.relay.server import Relay
from support.people import address_of
from support.trace import made_up

# Real enterprise traffic, where somebody has it; the project does not ship it.
RECORDED = Path(__file__).resolve().parents[4] / "shared" / "data" / "email-eu-core-150d.txt"


async def perform(scenario: Scenario, relay: Relay) -> Summary:
    """Play it as fast as it goes, with real keys and real encryption."""
    joined = []
    async with company.at_work(scenario, address_of(relay), joined=lambda: joined.append(1)) as people:
        assert len(people) == len(joined) == len(scenario.people)
        return await Player(scenario, people, SystemClock(), speed=None).play()


async def test_a_trace_goes_through_whole(relay: Relay) -> None:
    """Every message is decrypted once and in order, within a tenant and between tenants, chats and mails to several."""
    lines = made_up(300, 24).encode().splitlines()
    summary = await perform(trace.parse(lines, tenant_names(2)), relay)
    assert summary.flawless, summary
    assert (summary.planned, summary.accepted, summary.decrypted) == (300, 300, 300)


async def test_a_modelled_enterprise_goes_through_whole(relay: Relay) -> None:
    """So do the letters of an invented day."""
    summary = await perform(imagine(Shape(tenant_names(2), 16, 150, 8)), relay)
    assert summary.flawless, summary


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded trace is not beside the repository")
async def test_recorded_traffic_goes_through_whole(relay: Relay) -> None:
    """The beginning of real enterprise traffic, mails to dozens of people included."""
    with RECORDED.open("rb") as file:
        lines = [file.readline() for _ in range(400)]
    summary = await perform(trace.parse(lines, tenant_names(1)), relay)
    assert summary.flawless, summary
    assert summary.decrypted == 400


def test_more_people_than_files_are_refused_before_anybody_connects(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how many connections are needed, how many files there may be, and what to do."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, 200))
    company.check_files(10)
    with pytest.raises(NotPossible, match=r"5000 people need 5000 connections, .* 200 files: raise the limit"):
        company.check_files(5_000)


def test_the_soft_limit_of_files_is_lifted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that may open more files than it does by default makes use of that."""
    lifted: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 4_096))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: lifted.append(limits))
    company.check_files(1_000)
    assert lifted
    assert lifted[0][0] >= 1_000
    assert lifted[0][1] == 4_096
