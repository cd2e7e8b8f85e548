"""Somebody's own deployment, broken by themselves."""

from pathlib import Path

import pytest

from blindrelay.clients.relay_address import RelayAddress
from blindrelay.proofs.chaos.journal import Entry, Kind
from blindrelay.proofs.chaos.matrix.watch import NobodyAnswers, Orders, Silence, Watch, silences
from blindrelay.proofs.chaos.oracle import Invariant
from blindrelay.proofs.chaos.world import World


def watched(world: World, folder: Path, orders: Orders) -> Watch:
    """A watch over a relay of a chaos run."""
    folder.mkdir()
    code = (world.data / "registration-code").read_text().strip()
    return Watch([RelayAddress("localhost", world.port, (world.data / "relay.crt").read_bytes())], code, folder, orders)


async def test_a_relay_that_loses_nothing_passes(tmp_path: Path) -> None:
    """Two addresses of one relay are two ways to it; the command is run, and its status noted."""
    async with World(tmp_path) as world:
        orders = Orders(seconds=2.5, devices=4, command="exit 3", every=1.0)
        found = await watched(world, tmp_path / "watch", orders).carry_out()
    assert [str(finding) for finding in found.findings] == []
    assert found.counts["acked"] > 10
    assert {status for _, status in found.commands} == {3}
    assert (tmp_path / "watch" / "timeline.jsonl").read_text().count('"event": "command"') == len(found.commands)


async def test_a_relay_that_does_not_is_found_out(tmp_path: Path) -> None:
    """By what clients saw alone: it delivers in another order than that of sending."""
    async with World(tmp_path, saboteur="commit-out-of-order") as world:
        watch = watched(world, tmp_path / "watch", Orders(seconds=3.0, devices=4, rate=10.0))
        watch.patience = 2.0
        found = await watch.carry_out()
    assert found.broken(Invariant.I4)


async def test_nobody_answers(tmp_path: Path) -> None:
    """Or the code is not the relay's: the message says what each said."""
    async with World(tmp_path) as world:
        watch = watched(world, tmp_path / "watch", Orders(seconds=1.0, devices=3))
        watch.code = "wrong"
        with pytest.raises(NobodyAnswers, match="could not be registered"):
            await watch.carry_out()


def test_a_silence_is_when_nobody_is_served() -> None:
    """Also in the beginning; what takes less than a moment is none."""
    entries = [Entry(at, Kind.ACKED, "a", 1) for at in (13.5, 14.0, 15.0, 22.5)]
    assert silences(entries, 10.0) == [Silence(0.0, 3.5), Silence(5.0, 7.5)]
