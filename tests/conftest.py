"""What every room's tests share."""

import os
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from blindrelay.relay.server import Relay
from support import ports, site
from support.one_proof import OneProof, one_proof
from support.tenants import Tenant

# How long an example takes is for the benchmarks to say: here a busy machine would be a failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Carry out `@pytest.mark.needs("program")`: skip where the program is absent, but never on the CI, which installs it."""
    for marker in item.iter_markers("needs"):
        for program in marker.args:
            # Debian keeps servers in sbin, which is not on everybody's path.
            if shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin") is None:
                if os.environ.get("CI"):
                    pytest.fail(f"{program} is not installed, and .ci/run should have done so", pytrace=False)
                pytest.skip(f"{program} is not installed")


@pytest.fixture
def door() -> Iterator[socket.socket]:
    """A port that is kept while relays come and go. Nobody listens on it before the first."""
    with ports.held_port() as door:
        yield door


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[Relay]:
    """A running relay on a free port of the loopback, TLS and all."""
    async with site.relay_in(tmp_path / "relay") as relay:
        yield relay


@pytest.fixture
async def acme(relay: Relay, tmp_path: Path) -> Tenant:
    """A tenant that is registered with `relay`."""
    return await site.register(relay, Tenant("acme.example", tmp_path))


@pytest.fixture
async def globex(relay: Relay, tmp_path: Path) -> Tenant:
    """Another one."""
    return await site.register(relay, Tenant("globex.example", tmp_path))


@pytest.fixture(scope="session")
def proved(tmp_path_factory: pytest.TempPathFactory) -> OneProof:
    """A proof that was carried out, and its evidence. Nothing of it is to be changed."""
    return one_proof(tmp_path_factory)
