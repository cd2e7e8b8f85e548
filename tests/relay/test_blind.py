"""Lock 1: the relay runs where nothing could decrypt."""

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from blindrelay.protocol import rpc
from blindrelay.protocol.credentials import REGISTRAR
from support import minimal
from support.tenants import Tenant
from support.wire import Client

# Everything that could open an envelope, or that brings it along.
CLIENT_PACKAGES = ("vodozemac", "aiomqtt", "paho", "prompt_toolkit", "blindrelay.clients", "blindrelay.proofs")


@dataclass(frozen=True)
class Elsewhere:
    """A relay in a process and an environment of its own."""

    host: str
    port: int
    certificate: Path
    registration_code: str


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with a relay's dependencies alone."""
    return minimal.create(tmp_path_factory.mktemp("minimal"))


@pytest.fixture
async def relay(python: Path, tmp_path: Path) -> AsyncIterator[Elsewhere]:
    """`blindrelay up` in that environment."""
    # -I: neither the working directory nor PYTHONPATH may lend it what it does not have.
    command = [python, "-I", "-m", "blindrelay", "up", "--port", "0", "--data-dir", tmp_path / "data", "--json"]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=tmp_path
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            line = await process.stdout.readline()
        assert line, (await process.communicate())[1].decode()
        up = json.loads(line)
        yield Elsewhere(up["host"], up["port"], Path(up["certificate"]), up["registration_code"])
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()
    assert process.returncode == 0


def test_the_environment_holds_no_client(python: Path) -> None:
    """None of the packages that could open an envelope can be imported there; the relay can."""
    program = (
        "import importlib.util, json, blindrelay.relay.process\n"
        f"names = {CLIENT_PACKAGES!r}\n"
        "print(json.dumps([name for name in names if importlib.util.find_spec(name) is not None]))"
    )
    done = subprocess.run([python, "-I", "-c", program], capture_output=True, text=True, check=True)

    assert json.loads(done.stdout) == []


def test_client_commands_say_what_is_missing(python: Path) -> None:
    """A relay's installation answers `blindrelay client` with a sentence on what to install."""
    done = subprocess.run(
        [python, "-I", "-m", "blindrelay", "client", "send", "--help"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 14
    assert "blindrelay[clients]" in done.stderr


async def test_it_relays_all_the_same(relay: Elsewhere, tmp_path: Path) -> None:
    """A relay that could not decrypt anything registers a tenant, takes an envelope and hands it over unchanged."""
    (tmp_path / "acme").mkdir()
    acme = Tenant("acme.example", tmp_path / "acme")
    envelope = os.urandom(2_048)
    async with Client(relay) as registrar:  # type: ignore[arg-type]  # it asks for what `Elsewhere` has
        await registrar.connect("", username=REGISTRAR, password=relay.registration_code.encode())
        await registrar.call(rpc.REGISTER_TENANT, rpc.RegisterTenant(tenant=acme.name, root=acme.root_der))
    laptop, phone = acme.device("alice", "laptop"), acme.device("bob", "phone")

    async with Client(relay, phone) as bob, Client(relay, laptop) as alice:  # type: ignore[arg-type]
        await bob.connect()
        await bob.open_inbox()
        await alice.connect()
        assert int((await alice.publish(phone.device, envelope)).reason_code) == 0
        assert (await bob.receive()).payload == envelope
