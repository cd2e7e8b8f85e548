"""Scenarios in a process of their own."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from blindrelay.console.playing.runs import FIRST, NoSuchScenario, Run, Runs


async def _over(run: Run) -> Run:
    while run.over is None:  # noqa: ASYNC110 - a page asks, too
        await asyncio.sleep(0.01)
    return run


def test_the_story_that_everything_is_about_comes_first() -> None:
    """And all that are shipped are there."""
    names = list(Runs().sources)
    assert names[0] == FIRST
    assert names[1:] == sorted(names[1:])
    assert len(names) > 10


@pytest.mark.parametrize(("scenario", "variant"), [("none", None), (FIRST, None), (FIRST, "none")])
async def test_what_is_not_there_is_not_played(scenario: str, variant: str | None) -> None:
    """A scenario with variants is played in one of them."""
    with pytest.raises(NoSuchScenario):
        Runs().start(scenario, variant)


async def test_what_cannot_be_played_says_why(tmp_path: Path) -> None:
    """The process leaves, the run is over, and the next time it is tried again."""
    runs = Runs()
    name = "us-search-warrant"
    runs.sources[name] = replace(runs.sources[name], path=tmp_path / "gone.scenario.yaml")
    run = await _over(runs.start(name, None))
    assert run.over is not None
    assert not run.over.passed
    assert "No such file" in (run.over.error or "")
    assert runs.start(name, None) is not run
    await runs.close()


async def test_closing_ends_what_is_being_played() -> None:
    """Nobody waits for a scenario that nobody will see."""
    runs = Runs()
    run = runs.start(FIRST, "the-shutdown")
    assert runs.start(FIRST, "the-shutdown") is run
    while run.moved is None:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.01)
    await runs.close()
    assert run.over is None
