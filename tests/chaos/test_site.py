"""What is done to a deployment has an effect, and nothing of it is left."""

import asyncio
from pathlib import Path

import nats
import psutil
import pytest

from blindrelay.proofs.chaos.matrix.site import Shape, Site
from blindrelay.proofs.chaos.proxy import Flow
from blindrelay.proofs.engines import postgres

pytestmark = pytest.mark.needs("initdb", "nats-server")

SOON = 10.0


async def hears(site: Site) -> bool:
    """Whether what is said at one NATS server is heard at another."""
    speaker, listener = [await nats.connect(server.url) for server in site.nats[:2]]
    heard = asyncio.Event()

    async def hear(_: object) -> None:
        heard.set()

    try:
        await listener.subscribe("news", cb=hear)
        await listener.flush()
        for _ in range(10):
            await speaker.publish("news")
            await speaker.flush()
            try:
                async with asyncio.timeout(0.1):
                    await heard.wait()
                    return True
            except TimeoutError:
                continue
        return False
    finally:
        await speaker.close()
        await listener.close()


async def test_nodes_are_cut_off_and_come_back(template: postgres.Server, tmp_path: Path) -> None:
    """Routes pass through what cuts them, and nothing else; in the end there is no process left that was not there before."""
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    async with Site(tmp_path, Shape(2, template)) as site:
        async with asyncio.timeout(SOON):
            while not await hears(site):
                pass
        await site.part(Flow.REFUSED)
        assert not await hears(site)
        await site.heal()
        async with asyncio.timeout(SOON):
            while not await hears(site):
                pass
        await site.kill(site.nodes[0])
        assert not site.nodes[0].runs
        await site.restart_all()
        assert site.nodes[0].runs
        assert site.left == []
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before


async def test_a_node_that_ends_by_itself_is_started_again_and_noted(tmp_path: Path) -> None:
    """As a supervisor would; a run has to say so, for nothing had been done to it."""
    async with Site(tmp_path, Shape(1)) as site:
        (node,) = site.nodes
        assert node._process is not None
        node._process.kill()
        async with asyncio.timeout(SOON):
            while not (site.left and node.runs):  # noqa: ASYNC110 - it is a process that is waited for
                await asyncio.sleep(0.02)
        (line,) = site.left
        assert "n1 left with status -9" in line
