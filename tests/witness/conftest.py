"""A log's operator and a clock, for every test of a witness."""

import time
from pathlib import Path

import pytest

from blindrelay.relay.datadir import DataDirectory
from support.party import HandClock
from support.witnessed import Operator


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def operator() -> Operator:
    return Operator()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, and its key, as the relay makes them for itself."""
    with DataDirectory.open(tmp_path / "tls", now=time.time()) as folder:
        return folder.certificate, folder.key
