"""mosquitto_pub and mosquitto_sub, which know nothing of us, against a relay."""

import asyncio
import os
from pathlib import Path

import pytest

from .conftest import Member, Site

pytestmark = pytest.mark.needs("mosquitto_pub", "mosquitto_sub")

PAYLOAD = os.urandom(1_024)
MESSAGE_ID = "sixteen-byte-id!"


async def run(program: str, site: Site, member: Member, *options: str) -> tuple[int, str]:
    """Run a mosquitto client as a member; return its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        program, "-V", "5", "-h", "localhost", "-p", str(site.port), "--cafile", str(member.ca), "--cert", str(member.pem),
        "--key", str(member.pem), "-i", member.client_id, "-q", "1", *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(20):
        output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def publish(site: Site, sender: Member, topic: str, file: Path, *options: str) -> tuple[int, str]:
    """Publish `PAYLOAD` under `MESSAGE_ID`."""
    await asyncio.to_thread(file.write_bytes, PAYLOAD)
    properties = ["-D", "publish", "correlation-data", MESSAGE_ID, "-D", "publish", "message-expiry-interval", "600"]
    return await run("mosquitto_pub", site, sender, "-t", topic, "-f", str(file), "-d", *properties, *options)


async def subscribe_once(site: Site, member: Member) -> None:
    """Subscribe, wait for SUBACK, leave: from then on there is a mailbox."""
    code, output = await run("mosquitto_sub", site, member, "-t", member.inbox, "-E", "-c", "-x", "600")
    assert code == 0, output


async def test_a_message_waits_for_a_standard_client(site: Site, tmp_path: Path) -> None:
    """What mosquitto_pub publishes while nobody listens, mosquitto_sub receives later, byte for byte, with its id."""
    await subscribe_once(site, site.bob)

    code, output = await publish(site, site.alice, site.bob.topic, tmp_path / "payload")
    assert code == 0, output
    assert "received PUBACK" in output
    code, output = await run(
        "mosquitto_sub", site, site.bob, "-t", site.bob.inbox, "-c", "-x", "600", "-C", "1", "-F", "%D %x"
    )

    assert code == 0, output
    assert output.split()[-2:] == [MESSAGE_ID, PAYLOAD.hex()]


async def test_a_standard_client_is_told_why(site: Site, tmp_path: Path) -> None:
    """A PUBACK that refuses reaches mosquitto_pub's user as one."""
    _, output = await publish(site, site.alice, site.bob.topic.replace("bob", "nobody"), tmp_path / "payload")

    assert "Not authorized" in output, output


async def test_a_wildcard_ends_the_connection(site: Site) -> None:
    """mosquitto_sub with a wildcard gets DISCONNECT 0xA2, as announced in CONNACK."""
    _, output = await run("mosquitto_sub", site, site.alice, "-t", "v1/inbox/#", "-d", "-E")

    assert "Received DISCONNECT (162)" in output, output


async def test_somebody_elses_inbox_is_refused(site: Site) -> None:
    """mosquitto_sub for another device's inbox is told that all its subscriptions were denied."""
    _, output = await run("mosquitto_sub", site, site.alice, "-t", site.bob.inbox, "-W", "5")

    assert "denied" in output, output
