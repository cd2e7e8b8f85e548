"""One browser for all tests of a worker: it costs a second. They share one event loop, for the browser's sake."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from support import browsing
from support.console_site import CALM, SILENT, ConsoleSite, console_in, demonstration_in, direct


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, without a window."""
    async with async_playwright() as playwright:
        browser = await browsing.launch(playwright)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def console(tmp_path: Path) -> AsyncIterator[ConsoleSite]:
    """A console of this test's own, for a relay that is not there yet."""
    async with console_in(tmp_path) as console:
        yield console


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _company(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ConsoleSite]:
    """A console with people and a court whose order is in force. Tests share it: it takes seconds to begin."""
    async with demonstration_in(tmp_path_factory.mktemp("demonstration"), beat=0.15) as console:
        assert console.desktop.demonstration is not None
        await console.desktop.demonstration.in_force.wait()
        yield console


@pytest_asyncio.fixture(loop_scope="session")
async def demonstration(_company: ConsoleSite) -> AsyncIterator[ConsoleSite]:
    """The same, and the people talk, one message after another. Between tests they are silent: they would take a processor."""
    await direct(_company, CALM)
    yield _company
    await _company.relay.ensure()
    await direct(_company, SILENT)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def quiet(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ConsoleSite]:
    """A console without a relay, for what needs none. Tests share it."""
    async with console_in(tmp_path_factory.mktemp("quiet")) as console:
        yield console
