"""Commands that take a while."""

import asyncio

import psutil

from blindrelay.console.errand import Errand


async def _done(errand: Errand) -> Errand:
    while errand.running:  # noqa: ASYNC110 - a page asks, too
        await asyncio.sleep(0.01)
    return errand


async def test_what_a_command_prints_is_told() -> None:
    """Objects, one a line; and it can be carried out again."""
    errand = Errand("scenario", "list")
    for _ in range(2):
        errand.start()
        assert (await _done(errand)).failure == ""
        assert errand.told[0]["scenario"]


async def test_command_that_fails_says_why() -> None:
    """With its last words."""
    errand = Errand("scenario", "run", "/nowhere")
    errand.start()
    assert "no such file" in (await _done(errand)).failure


async def test_closing_ends_it() -> None:
    """Nobody waits for a proof that nobody will see."""
    errand = Errand("prove", "--quick")
    errand.start()
    errand.start()
    while not _provers():  # noqa: ASYNC110 - it is about to be there
        await asyncio.sleep(0.01)
    (prover,) = _provers()
    await errand.close()
    assert not errand.running
    assert not prover.is_running()


def _provers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "prove" in child.cmdline()]
