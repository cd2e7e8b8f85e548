"""SIGTERM is Ctrl-C by another hand."""

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from blindrelay.cli.interrupts import interruptible


@pytest.fixture(autouse=True)
def as_the_console_script_has_it() -> Iterator[None]:
    """SIGTERM raises `KeyboardInterrupt` outside of asynchronous work."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    yield
    signal.signal(signal.SIGTERM, before)


def test_what_is_asked_for_is_returned() -> None:
    async def work() -> int:
        return 7

    assert interruptible(work()) == 7


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_step_that_has_begun_is_finished_and_all_is_cleaned_up(number: signal.Signals) -> None:
    """Whatever the loop is doing when the signal comes; a process that is half started could not be ended."""
    done = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), number)
            done.append("the step")
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            done.append("the cleaning up")

    with pytest.raises(KeyboardInterrupt):
        interruptible(work())

    assert done == ["the step", "the cleaning up"]


def test_work_may_end_in_its_own_way() -> None:
    """As a simulation does that still tells what there was until then."""

    async def work() -> str:
        task = asyncio.current_task()
        assert task is not None
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            task.uncancel()
        return "half of it"

    assert interruptible(work()) == "half of it"


def test_afterwards_the_signal_means_what_it_meant_before() -> None:
    async def work() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

    with pytest.raises(KeyboardInterrupt):
        interruptible(work())

    assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
