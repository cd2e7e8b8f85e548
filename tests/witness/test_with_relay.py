"""A relay and its witness: nothing is published that the witness has not seen, and no relay starts over unseen."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from blindrelay.protocol.clock import SystemClock
from blindrelay.protocol.transparency.checkpoint import Checkpoint
from blindrelay.protocol.transparency.note import Note
from blindrelay.protocol.transparency.policy import Trust
from blindrelay.protocol.transparency.policy import Witness as WitnessLine
from blindrelay.relay.server import Relay
from blindrelay.witness.folder import origin_hash
from blindrelay.witness.service import Witness
from support import site
from support.tenants import Tenant

CLOCK = SystemClock()


@pytest.fixture
async def witness(tmp_path: Path) -> AsyncIterator[Witness]:
    """One that knows no log yet."""
    async with Witness(tmp_path / "witness", name="w.example") as witness:
        yield witness


def relay_with(witness: Witness, folder: Path) -> Relay:
    """A relay that publishes nothing without this witness."""
    line = str(WitnessLine("w", witness.key, witness.url))
    return site.relay_in(folder, logs={"witnesses": [line], "quorum": 1})


async def test_a_relay_publishes_what_its_witness_has_cosigned(witness: Witness, tmp_path: Path) -> None:
    """As the how-to has it: the relay starts, the witness is told of its log, and from then on everything is cosigned."""
    async with relay_with(witness, tmp_path / "relay") as relay, httpx.AsyncClient(base_url=witness.url) as http:
        log = relay.directory_log.log
        assert log.published.note == b""
        trust = Trust.parse((tmp_path / "relay" / "logs" / "directory.policy").read_text())
        witness.folder.add_log(trust.log, CLOCK)
        assert await log.publish()

        await site.register(relay, Tenant("acme.example", tmp_path))
        assert await log.publish()
        seen = trust.open(log.published.note)
        assert seen.checkpoint.size == 1
        assert [name for name, _ in seen.cosigned] == ["w"]
        shown = await http.get(f"/{origin_hash(trust.log.name)}/checkpoint")
        assert trust.open(shown.content).checkpoint == seen.checkpoint


async def test_a_relay_that_starts_over_from_an_older_copy_publishes_nothing(witness: Witness, tmp_path: Path) -> None:
    """Its own files agree with one another, and its history is another one: the witness remembers the first."""
    async with relay_with(witness, tmp_path / "relay") as relay:
        trust = Trust.parse((tmp_path / "relay" / "logs" / "directory.policy").read_text())
        witness.folder.add_log(trust.log, CLOCK)
        await site.register(relay, Tenant("acme.example", tmp_path))
        assert await relay.directory_log.log.publish()
    shutil.copytree(tmp_path / "relay", tmp_path / "copy")
    async with relay_with(witness, tmp_path / "relay") as relay:
        await site.register(relay, Tenant("globex.example", tmp_path))
        assert await relay.directory_log.log.publish()

    async with relay_with(witness, tmp_path / "copy") as relay:
        await site.register(relay, Tenant("initech.example", tmp_path))
        assert not await relay.directory_log.log.publish()
        assert trust.open(relay.directory_log.log.published.note).checkpoint.size == 1
    known = witness.folder.log(trust.log.name)
    last: Checkpoint = witness.folder.last(known).head
    assert last.size == 2
    assert [Checkpoint.parse(Note.parse(file.read_bytes()).text).size for file in known.split_views] == [2, 2]
