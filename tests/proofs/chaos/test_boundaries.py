"""The scripted run, ended at its syncs, on failing and on full disks, and by power cuts."""

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blindrelay.proofs.chaos.boundaries import (
    Template,
    count_calls,
    cut_power,
    fail_at,
    fill_disk,
    kill_at,
    no_room_between,
    prepare,
)
from blindrelay.proofs.chaos.journal import Kind

pytestmark = pytest.mark.needs("strace")

# The script makes 40 to 65 syncs, depending on which messages share a commit; past them a run ends without having been
# killed. Every one is tried by `make chaos`, a part of them here.
LAST_SYNC = 66
EVERY = 5
CHUNKS = 4

QUOTA_EXCEEDED = 0x97


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A data folder to begin with. Each performance has a copy of it."""
    return asyncio.run(prepare(tmp_path_factory.mktemp("template")))


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[str], Path]:
    """A new folder for each performance."""

    def create(name: str) -> Path:
        path = tmp_path / name
        path.mkdir()
        return path

    return create


@pytest.mark.parametrize("chunk", range(CHUNKS))
async def test_a_kill_at_any_sync_loses_nothing(chunk: int, template: Template, folder: Callable[[str], Path]) -> None:
    """The relay is killed as it enters its N-th sync: what it had acknowledged is there afterwards, once, in order."""
    for number in range(1 + chunk * EVERY, LAST_SYNC + 1, CHUNKS * EVERY):
        played = await kill_at(template, folder(f"kill-{number}"), number)
        assert [str(finding) for finding in played.findings] == [], f"killed at sync {number}"
        assert number > 30 or played.status == -9, f"nothing was killed at sync {number}"


@pytest.mark.parametrize("number", [3, 60, 200, 400])
async def test_a_kill_at_a_write_loses_nothing(number: int, template: Template, folder: Callable[[str], Path]) -> None:
    """The same in the middle of a transaction, of a checkpoint, of a page."""
    played = await kill_at(template, folder("kill"), number, "pwrite64")
    assert [str(finding) for finding in played.findings] == []
    assert played.status == -9


@pytest.mark.parametrize(("number", "once"), [(number, once) for number in (2, 8, 22) for once in (True, False)])
async def test_a_relay_whose_sync_fails_leaves(
    number: int, once: bool, template: Template, folder: Callable[[str], Path]
) -> None:
    """No PUBACK for what failed, an exit status that says so, and a store that is consistent. Covers R6 and R7."""
    played = await fail_at(template, folder("fail"), number, once=once)
    assert [str(finding) for finding in played.findings] == []
    assert played.status > 0


async def test_a_full_disk_refuses_and_recovers(template: Template, folder: Callable[[str], Path]) -> None:
    """Senders are told 0x97, nobody is disconnected, and when there is room again it goes on without a restart. Covers R8."""
    played = await no_room_between(template, folder("full"), 100, 112)
    assert [str(finding) for finding in played.findings] == []
    refusals = [entry for entry in played.entries if entry.kind is Kind.REFUSED]
    assert {entry.code for entry in refusals} == {QUOTA_EXCEEDED}
    assert any(entry.kind is Kind.ACKED and entry.at > refusals[-1].at for entry in played.entries)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB, which only root may mount."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", disk], check=False).returncode:
        pytest.skip("no right to mount a file system")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


async def test_a_disk_that_is_really_full_refuses_and_recovers(
    template: Template, folder: Callable[[str], Path], small_disk: Path
) -> None:
    """On a file system without a free byte, what is there is still delivered and deleted. Covers R8."""
    played = await fill_disk(template, folder("filled"), small_disk)
    assert [str(finding) for finding in played.findings] == []
    refusals = [entry for entry in played.entries if entry.kind is Kind.REFUSED]
    assert {entry.code for entry in refusals} == {QUOTA_EXCEEDED}
    assert any(entry.kind is Kind.ACKED and entry.at > refusals[-1].at for entry in played.entries)


async def test_the_power_may_fail_at_any_moment(template: Template, folder: Callable[[str], Path]) -> None:
    """In every image that a power cut could leave, everything that was acknowledged by then is there. Covers R1."""
    cuts = await cut_power(template, folder("power"))
    assert [str(finding) for finding in cuts.findings] == []
    assert cuts.images > 50


async def test_the_script_is_large_enough(template: Template, folder: Callable[[str], Path]) -> None:
    """About a hundred messages and dozens of syncs, or the enumeration would prove little."""
    syncs, played = await count_calls(template, folder("count"))
    assert played.findings == []
    assert syncs > 30
    assert sum(entry.kind is Kind.ACKED for entry in played.entries) > 80
