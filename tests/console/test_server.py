"""Listening, and stopping."""

import asyncio
from pathlib import Path

import httpx
import pytest

from blindrelay.console.desktop import Desktop
from blindrelay.console.errors import AddressInUse, NotPrivate
from blindrelay.console.rights import Role
from blindrelay.console.server import Place, serving
from support import ports


async def test_stops_though_streams_are_open(tmp_path: Path) -> None:
    """A browser that listens for ever does not keep the console from ending; its stream ends in order."""
    async with httpx.AsyncClient() as http:
        async with serving(Desktop(tmp_path), Place()) as found:
            token = found.link(Role.AUDITOR).partition("#")[2]
            await http.post(f"{found.url}/sign-in", json={"token": token}, headers={"origin": found.url})
            request = http.build_request("GET", f"{found.url}/events/status")
            answer = await http.send(request, stream=True)
            lines = answer.aiter_lines()
            while not (await anext(lines)).startswith("data: "):
                pass
        assert [line async for line in lines if line.startswith("data: ")] == []
        await answer.aclose()
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


async def test_taken_port_is_said(tmp_path: Path) -> None:
    """And which option chooses another one."""
    with ports.held_port() as door:
        door.listen()
        with pytest.raises(AddressInUse, match="--port"):
            async with serving(Desktop(tmp_path), Place(port=ports.number(door))):
                pytest.fail("two listen on one port")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "console.example"])
async def test_in_the_clear_for_this_machine_alone(tmp_path: Path, host: str) -> None:
    """Who wants to be reached from elsewhere needs a certificate."""
    with pytest.raises(NotPrivate, match="--certificate"):
        async with serving(Desktop(tmp_path), Place(host=host)):
            pytest.fail("it listens")
