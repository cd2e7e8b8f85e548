"""A log that auditors read."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

import pytest

from blindrelay.clients.auditor.log import PublicLog, Wants, open_log
from blindrelay.protocol.transparency.policy import Trust
from support.party import HandClock
from support.public_log import NAME, LogSite, log_site


@pytest.fixture
def clock() -> HandClock:
    """A clock that is set by hand."""
    return HandClock()


@pytest.fixture
async def site(tmp_path: Path, clock: HandClock) -> AsyncIterator[LogSite]:
    """A place for a log."""
    async with log_site(tmp_path / "site", clock) as site:
        yield site


class Audit(Protocol):
    """Opens the log that is shown; what was seen is remembered from one time to the next."""

    def __call__(
        self, *, policy: Trust | None = None, wants: Wants | None = None
    ) -> AbstractAsyncContextManager[PublicLog]: ...


@pytest.fixture
def audit(site: LogSite, tmp_path: Path, clock: HandClock) -> Audit:
    """An auditor, who has the policy from elsewhere."""

    def opened(*, policy: Trust | None = None, wants: Wants | None = None) -> AbstractAsyncContextManager[PublicLog]:
        return open_log(site.address, NAME, tmp_path / "auditor", policy=policy or site.trust, wants=wants, clock=clock)

    return opened
