"""The containers of docker-compose.yml, really running: `.ci/compose.sh` starts them, and these tests treat them roughly.

In the order of the file: the later ones stop what the earlier ones need.
"""

import asyncio
import json
import os
import ssl
import subprocess
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mqtt5
import pytest

from blindrelay.relay.server import Relay
from support import site
from support.site import connected
from support.tenants import Badge, Tenant

pytestmark = pytest.mark.skipif(
    "BLINDRELAY_COMPOSE" not in os.environ, reason="needs containers: .ci/compose.sh starts them"
)

ROOT = Path(__file__).parents[2]
NODES = "3"
ONCE = {"secrets", "migrate", "demo"}


def docker(*arguments: str, check: bool = True) -> str:
    """Run a command of Docker's; its output."""
    done = subprocess.run(["docker", *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout


def compose(*arguments: str) -> str:
    """A command about the project."""
    return docker("compose", *arguments)


def up() -> None:
    """Everything runs and is well."""
    compose("up", "--detach", "--wait", "--scale", f"relay={NODES}")


def containers(service: str) -> list[str]:
    """Their ids."""
    return compose("ps", "--quiet", service).split()


def inspected(container: str) -> dict[str, Any]:
    """What the engine knows of a container."""
    found: list[dict[str, Any]] = json.loads(docker("inspect", container))
    return found[0]


def port(number: int) -> int:
    """Where a port of the balancer's is published on this machine."""
    return int(compose("port", "balancer", str(number)).rpartition(":")[2])


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Relay:
    """What a client has to know of the relay behind the balancer. `wire.Client` takes it for one."""
    folder = tmp_path_factory.mktemp("relay")
    compose("cp", "desk:/run/secrets/identity/relay.crt", str(folder / "relay.crt"))
    code = compose("exec", "-T", "desk", "cat", "/run/secrets/identity/registration-code").strip()
    return SimpleNamespace(  # type: ignore[return-value]
        host="127.0.0.1", port=port(8_883), certificate=folder / "relay.crt", registration_code=code
    )


@pytest.fixture(scope="module")
def acme(relay: Relay, tmp_path_factory: pytest.TempPathFactory) -> Tenant:
    """An enterprise of these tests' own."""
    tenant = Tenant(f"acme-{int(time.time())}.example", tmp_path_factory.mktemp("acme"))
    return asyncio.run(site.register(relay, tenant))


@pytest.fixture
def pair(acme: Tenant) -> tuple[Badge, Badge]:
    """Alice, and Bob, who is away."""
    return acme.device("alice", "laptop"), acme.device("bob", "phone")


async def wait_for(relay: Relay, bob: Badge, count: int) -> list[bytes]:
    """What waits for Bob, in order."""
    async with connected(relay, bob) as recipient:
        await recipient.open_inbox()
        found = [(await recipient.receive()).payload for _ in range(count)]
        await recipient.catch_up()
        return found


async def leave(relay: Relay, pair: tuple[Badge, Badge], count: int) -> list[bytes]:
    """Bob has been there; Alice leaves him so many messages. They are acknowledged."""
    alice, bob = pair
    async with connected(relay, bob), connected(relay, alice) as sender:
        pass
    sent = [os.urandom(1_024) for _ in range(count)]
    async with connected(relay, alice) as sender:
        for payload in sent:
            assert (await sender.publish(bob.device, payload)).reason_code == 0
    return sent


def test_nobody_is_root_and_nothing_is_writable() -> None:
    """Every container: a user of its own, no capability, no way to get one, no file of its image that could be changed."""
    services = compose("config", "--services").split()
    assert {"postgres", "nats1", "nats2", "nats3", "relay", "desk", "witness", "balancer", "secrets"} <= set(services)
    for service in services:
        for container in compose("ps", "--all", "--quiet", service).split():
            found = inspected(container)
            host = found["HostConfig"]
            assert found["Config"]["User"] not in {"", "root", "0"}, service
            assert host["ReadonlyRootfs"], service
            assert host["CapDrop"] == ["ALL"], service
            assert "no-new-privileges:true" in host["SecurityOpt"], service
            assert service in ONCE or found["State"]["Health"]["Status"] == "healthy", service


def test_secrets_are_files() -> None:
    """No password, token or key is in an environment or on a command line, where `docker inspect` shows it."""
    words = compose("exec", "-T", "desk", "sh", "-c", "cat /run/secrets/node/nats.token; cat /run/secrets/node/store")
    token, address = words[:48], words[48:]
    password = address.split(":")[2].split("@")[0]
    assert min(len(token), len(password)) == 48
    shown = "".join(json.dumps(inspected(container)) for container in compose("ps", "--all", "--quiet").split())
    assert token not in shown
    assert password not in shown


def test_desk_and_public_logs_are_reached_through_the_balancer(relay: Relay) -> None:
    """Both in TLS, with the certificate that all nodes have; the logs are cosigned."""
    context = ssl.create_default_context(cafile=str(relay.certificate))
    for number, path in (
        (8_884, "/v1/relay"),
        (8_885, "/logs/directory/policy"),
        (8_885, "/logs/directory/checkpoint"),
    ):
        url = f"https://localhost:{port(number)}{path}"
        with closing(urllib.request.urlopen(url, context=context, timeout=20)) as answer:
            assert answer.status == 200
            body = answer.read().decode()
    assert "witness" in body


async def test_messages_pass_between_nodes(relay: Relay, acme: Tenant) -> None:
    """Twelve devices, on whatever node the balancer chose for each: everybody hears from their neighbour."""
    badges = [acme.device(f"user{number}", "phone") for number in range(12)]
    clients = [connected(relay, badge) for badge in badges]
    opened = [await client.__aenter__() for client in clients]
    try:
        for client in opened:
            await client.open_inbox()
        for number, client in enumerate(opened):
            other = badges[(number + 1) % len(badges)]
            assert (await client.publish(other.device, bytes([number]) * 1_024)).reason_code == 0
        heard = [(await client.receive()).payload[0] for client in opened]
    finally:
        for client in clients:
            await client.__aexit__(None, None, None)
    assert heard == [(number - 1) % len(badges) for number in range(len(badges))]


def test_connections_are_known_by_their_own_address(relay: Relay, acme: Tenant) -> None:
    """The balancer says whose each is: what is recorded is not the balancer's address."""
    asyncio.run(leave(relay, (acme.device("carol", "pad"), acme.device("dave", "pad")), 1))
    query = "SELECT DISTINCT address FROM access"
    recorded = set(
        compose("exec", "-T", "postgres", "psql", "-U", "postgres", "-d", "blindrelay", "-Atc", query).split()
    )
    (balancer,) = containers("balancer")
    networks = inspected(balancer)["NetworkSettings"]["Networks"].values()
    assert recorded
    assert not recorded & {network["IPAddress"] for network in networks}


async def test_a_node_that_is_told_to_stop_sends_its_clients_elsewhere(relay: Relay, acme: Tenant) -> None:
    """0x9C with the balancer's address; the node leaves with status 0 and in time, and the client is served by another one."""
    alice = acme.device("alice", "laptop")
    async with connected(relay, alice) as client:
        nodes = containers("relay")
        before = time.monotonic()
        stopping = [asyncio.create_task(asyncio.to_thread(docker, "stop", node)) for node in nodes]
        goodbye = await client.expect(mqtt5.DisconnectPacket)
        await asyncio.gather(*stopping)
        took = time.monotonic() - before
    assert goodbye.reason_code is mqtt5.DisconnectReasonCode.USE_ANOTHER_SERVER
    assert goodbye.server_reference == "localhost:8883"
    assert took < 12
    assert {inspected(node)["State"]["ExitCode"] for node in nodes} == {0}
    await asyncio.sleep(0)
    async with asyncio.timeout(20):
        while True:  # the desk's node stands in, as soon as the balancer has noticed
            try:
                async with connected(relay, alice) as client:
                    assert (await client.publish(alice.device)).reason_code == 0
                    break
            except (OSError, EOFError):
                await asyncio.sleep(0.2)
    await asyncio.to_thread(up)


def test_what_was_acknowledged_before_a_kill_arrives(relay: Relay, pair: tuple[Badge, Badge]) -> None:
    """SIGKILL to every node and to the database; after their restart Bob has all of it, in order."""
    sent = asyncio.run(leave(relay, pair, 20))
    victims = [*containers("relay"), *containers("desk"), *containers("postgres")]
    docker("kill", "--signal", "SIGKILL", *victims)
    docker("start", *victims)
    up()

    assert asyncio.run(wait_for(relay, pair[1], 20)) == sent


def test_volumes_outlive_the_containers(relay: Relay, pair: tuple[Badge, Badge]) -> None:
    """`down` and `up`: the relay is the same one, and what waited waits."""
    sent = asyncio.run(leave(relay, pair, 3))
    compose("down")
    up()

    assert asyncio.run(wait_for(relay, pair[1], 3)) == sent


def test_the_demo_enterprises_write_to_one_another() -> None:
    """Its exit code says that every message arrived, once and in order."""
    options = ("--tenants=2", "--users=6", "--rate=5/s", "--hours=0.15")
    relay = "--relay=/run/secrets/people/endpoint.json"
    told = compose("--profile", "demo", "run", "--no-deps", "--rm", "-T", "demo", "simulate", relay, *options, "--json")
    last = json.loads(told.strip().splitlines()[-1])
    assert last["sent"] == last["decrypted"] > 0
    assert last["lost"] == last["duplicated"] == 0


def test_one_relay_alone_runs_from_the_same_image() -> None:
    """A read-only container with one volume: SQLite, a witness of its own; it is well, and leaves when asked to."""
    name = f"blindrelay-alone-{os.getpid()}"
    hardened = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--tmpfs=/tmp")
    docker("run", "--detach", "--name", name, *hardened, "blindrelay")
    try:
        deadline = time.monotonic() + 60
        while inspected(name)["State"]["Health"]["Status"] != "healthy":
            assert time.monotonic() < deadline, docker("logs", name)
            time.sleep(0.2)
        status = json.loads(docker("exec", name, "blindrelay", "status", "--data-dir", "/data", "--json"))
        assert status["ready"]
        docker("stop", name)
        assert inspected(name)["State"]["ExitCode"] == 0
    finally:
        docker("rm", "--force", "--volumes", name, check=False)
