"""The examples run as they stand."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from blindrelay.relay.server import Relay

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_there_are_examples() -> None:
    """The list that the next test runs is not empty by mistake."""
    assert len(list(EXAMPLES.glob("*.py"))) >= 6


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
async def test_example_runs(example: Path, relay: Relay) -> None:
    """Each example ends by itself with exit code 0, says something, and complains about nothing."""
    environment = {
        **os.environ,
        "BLINDRELAY_URL": f"mqtts://localhost:{relay.port}",
        "BLINDRELAY_CA": str(relay.certificate),
        "BLINDRELAY_REGISTRATION_CODE": relay.registration_code,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "error",
        str(example),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 120)
    assert (process.returncode, err.decode()) == (0, "")
    assert out
