"""A desk that is killed between any two of its effects goes on where its file ends, and comes to the same end."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from blindrelay.relay.desk.journal import Journal
from support.clerks import Office, Outside, Script, still_clock
from support.killed import Guillotine, Story, tell, what_came_of_it

TESTS = Path(__file__).parents[2]
#: The whole story has this many boundaries; a test below holds us to it.
BOUNDARIES = 60
PARTS = 4


def office_in(folder: Path, like: Path | None = None) -> Office:
    """An office; with `like`, a copy of one that has just been founded."""
    office = Office(folder, still_clock(), Script(), Outside())
    if like is None:
        folder.mkdir(parents=True, exist_ok=True)
        office.found()
    else:
        shutil.copytree(like, folder)
    return office


async def untroubled(folder: Path) -> tuple[dict[str, object], int]:
    """How it ends when nobody is killed, and how many boundaries there are on the way."""
    office, guillotine = office_in(folder), Guillotine()
    await tell(Story(office), guillotine)
    return what_came_of_it(office), guillotine.passed


async def test_the_story_is_told_whole(tmp_path: Path) -> None:
    """A package, a preservation, a stream, a suspension, two notices; then the case is closed and the package deleted."""
    end, passed = await untroubled(tmp_path)

    assert passed == BOUNDARIES
    assert end["state"] == "closed"
    assert end["outside"] == [["d1"], [], ["d3"], ["d4"], ["d1", "d3"]]
    assert (end["released"], end["packaged"], end["decided"], end["left"]) == (1, 1, 1, [])


@pytest.mark.parametrize("part", range(PARTS))
async def test_killed_at_any_boundary(part: int, tmp_path: Path) -> None:
    """Before a row, after it, before an effect, after it: the end is the same, and nothing is handed over unrecorded."""
    office_in(tmp_path / "founded")
    expected, _ = await untroubled(tmp_path / "untroubled")
    for boundary in range(part, BOUNDARIES, PARTS):
        office = office_in(tmp_path / str(boundary), like=tmp_path / "founded")
        story = Story(office)

        await tell(story, Guillotine(boundary))

        end = what_came_of_it(office)
        # A call that was written down as served and then lost is not served again: the authority signed another.
        released = end.pop("released")
        assert released == story._call - (0 if released == story._call else 1), boundary
        assert released in {1, 2}
        assert end == {key: value for key, value in expected.items() if key != "released"}, boundary
        assert len(set(story.fetched)) == 1


@pytest.mark.parametrize("boundary", [3, 9, 31, 47])
async def test_kill_9(boundary: int, tmp_path: Path) -> None:
    """A process that ends itself by SIGKILL in the middle leaves a file from which another one goes on."""
    command = [sys.executable, "-m", "support.killed", str(tmp_path), str(boundary)]
    environment = os.environ | {"PYTHONPATH": str(TESTS)}
    done = await asyncio.to_thread(subprocess.run, command, cwd=TESTS, env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    Journal.open(tmp_path).close()  # the chain holds

    office = Office(tmp_path, still_clock(), Script(), Outside())
    await tell(Story(office, _call=10), Guillotine())

    end = what_came_of_it(office)
    assert (end["state"], end["packaged"], end["decided"], end["left"]) == ("closed", 1, 1, [])
