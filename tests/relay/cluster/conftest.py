"""What the tests of clusters share: a server of each kind for a worker, and a database for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.cluster import Cluster, cluster
from support.nats import NatsServer


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes wait a second for each other before a new device is answered; one that then comes to a node which does not know it
    yet is sent away and comes back. Clients of these tests do not come back, and the machine may be busy for a second."""
    monkeypatch.setattr("blindrelay.relay.cluster.feed._PATIENCE", 15.0)


@pytest.fixture(params=["woken", "looking"])
async def nodes(
    request: pytest.FixtureRequest, tmp_path: Path, new_database: str, nats: NatsServer
) -> AsyncIterator[Cluster]:
    """Three nodes; with NATS, and without: whatever holds, holds with every wake-up lost."""
    async with cluster(tmp_path, new_database, [nats.url] if request.param == "woken" else []) as running:
        yield running
