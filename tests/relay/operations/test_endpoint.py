"""The operations endpoint of a whole relay (`relay/operations`): what it answers, and when."""

import asyncio
import json
import socket
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import mqtt5
import pytest

from blindrelay import __version__
from blindrelay.proofs.checks import scraped
from blindrelay.proofs.checks.inventory import CHECK
from blindrelay.proofs.checks.model import Report
from blindrelay.relay.errors import AddressInUse, StoreFailed
from blindrelay.relay.inventory import Place, declared
from blindrelay.relay.operations import view
from blindrelay.relay.server import Relay
from support import site
from support.site import connected
from support.tenants import Tenant


async def get(relay: Relay, path: str) -> tuple[int, str]:
    """Status and body."""

    def ask() -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{relay.operations_port}{path}") as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()

    return await asyncio.to_thread(ask)


async def busy(relay: Relay, acme: Tenant) -> None:
    """A little of everything: a message, a delivery, a refusal, a request."""
    alice = acme.device("alice", "laptop")
    async with connected(relay, alice) as client:
        await client.publish(alice.device)
        await client.publish(alice.device, b"odd")
        await client.open_inbox()
        await client.receive()
        await client.catch_up()
    await relay.exchange.at_rest()
    await relay.directory_log.log.publish()


async def test_it_shows_what_is_declared_and_nothing_else(relay: Relay, acme: Tenant) -> None:
    """Each metric and label of the inventory, in its words; the check of the proof finds nothing in it."""
    await busy(relay, acme)
    status, text = await get(relay, "/metrics")
    report = Report(CHECK.reasons)
    scraped.metrics(text.encode(), "here", report)
    verdict = report.verdict("inventory", 0.0)

    assert status == 200
    assert verdict.findings == ()
    assert verdict.examined["metrics"] > 50
    shown = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")}
    assert shown == {name for name in declared(Place.METRIC) if "{" not in name}
    for line in (
        "blindrelay_messages_accepted_total 1.0",
        "blindrelay_messages_delivered_total 1.0",
        'blindrelay_messages_refused_total{code="payload_format_invalid"} 1.0',
        'blindrelay_requests_total{method="tenant.register",outcome="answered"} 1.0',
        "blindrelay_tenants 1.0",
        "blindrelay_ready 1.0",
    ):
        assert line in text.splitlines()


@pytest.mark.parametrize(
    "line",
    [
        'blindrelay_connections{kind="device",user="alice"} 1.0',
        'blindrelay_connections{kind="alice"} 1.0',
        'blindrelay_build_info{version="see you at 8"} 1.0',
        "# TYPE blindrelay_lookups_total counter\nblindrelay_lookups_total 1.0",
        "# HELP blindrelay_ready alice has written to bob\n# TYPE blindrelay_ready gauge\nblindrelay_ready 1.0",
        "# alice has written to bob",
        "blindrelay_ready 1.0 1700000000000",
        "blindrelay_ready{",
    ],
)
def test_the_check_finds_what_is_not_declared(line: str) -> None:
    """A label, a value, a metric, a description, a comment, a time."""
    report = Report(CHECK.reasons)
    scraped.metrics(f"{line}\n".encode(), "here", report)
    assert report.verdict("inventory", 0.0).has("metric")


async def test_status_says_how_it_does(relay: Relay, acme: Tenant) -> None:
    """Numbers over everybody, the logs' heads, and no name."""
    await busy(relay, acme)
    status, body = await get(relay, "/status")
    found: dict[str, Any] = json.loads(body)

    assert status == 200
    assert (found["version"], found["ready"], found["fault"]) == (__version__, True, None)
    assert (found["accepted"], found["delivered"], found["refused"], found["waiting"]) == (1, 1, 1, 0)
    assert (found["tenants"], found["devices"]) == (1, 1)
    assert found["commits"]["count"] > 0
    (log,) = found["logs"]
    assert log == {
        "name": "directory", "entries": 1, "root": log["root"], "cosigned_at": None, "witnesses": 0, "failing": False
    }  # fmt: skip
    assert "alice" not in body
    assert "acme" not in body


async def test_there_is_nothing_else(relay: Relay) -> None:
    """Four things to read, and nothing to do."""
    assert (await get(relay, "/"))[0] == 404
    assert (await get(relay, "/metrics/"))[0] == 404


async def test_a_store_that_does_not_answer_is_not_ready(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process lives, so it is not started again; clients are not sent to it."""
    monkeypatch.setattr(view, "STORE_PATIENCE", 0.05)
    answer, commit = threading.Event(), relay.committer._store.commit
    monkeypatch.setattr(relay.committer._store, "commit", lambda *a: (answer.wait(), commit(*a))[1])
    try:
        status, body = await get(relay, "/readyz")
        assert (status, json.loads(body)["ready"]) == (503, False)
        assert "not answered" in body
        assert (await get(relay, "/healthz"))[0] == 200
    finally:
        answer.set()
    monkeypatch.undo()
    assert (await get(relay, "/readyz"))[0] == 200


async def test_a_store_that_failed_is_not_ready(relay: Relay, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it has left, it says why nobody is to come."""

    def fail(*_: object) -> None:
        raise StoreFailed("fsync failed")

    monkeypatch.setattr(relay.committer._store, "commit", fail)
    with pytest.raises(StoreFailed):
        await relay.committer.run(lambda connection: None)
    assert await get(relay, "/readyz") == (503, '{"ready":false,"fault":"the store failed"}')
    monkeypatch.undo()


async def test_while_it_drains_it_is_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A balancer that looks is told before clients are, and as long as there are some."""
    acme = Tenant("acme.example", tmp_path)
    relay = site.relay_in(tmp_path / "relay")
    await relay.start()
    await site.register(relay, acme)
    alice = acme.device("alice", "laptop")
    async with connected(relay, alice) as client:
        answer, commit = threading.Event(), relay.committer._store.commit
        monkeypatch.setattr(relay.committer._store, "commit", lambda *a: (answer.wait(), commit(*a))[1])
        publishing = asyncio.create_task(client.publish(alice.device))
        while not relay.exchange.undecided():  # noqa: ASYNC110 - it has come over a real network
            await asyncio.sleep(0)
        stopping = asyncio.create_task(relay.stop())
        status, body = await get(relay, "/readyz")
        answer.set()
        assert (await publishing).reason_code == 0
        await client.expect(mqtt5.DisconnectPacket)
        await stopping

    assert (status, json.loads(body)["fault"]) == (503, "it is starting or stopping")


async def test_it_can_be_switched_off(tmp_path: Path) -> None:
    """Then nobody listens."""
    async with site.relay_in(tmp_path, operations={"enabled": False}) as relay:
        assert relay.operations_port is None


async def test_a_port_that_is_taken_is_named_with_its_setting(tmp_path: Path) -> None:
    """The message says which of the relay's ports it is, and what moves it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        operations = {"http_port": taken.getsockname()[1]}
        with pytest.raises(AddressInUse, match=r"operations endpoint .* http_port below \[operations\]"):
            await site.relay_in(tmp_path, operations=operations).start()


async def test_one_of_several_nodes_does_not_count_what_others_move(
    relay: Relay, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mailboxes are filled and emptied elsewhere, too: a number from here would be wrong, and there is none."""
    monkeypatch.setattr(relay.accounts, "_quota", None)
    _, text = await get(relay, "/metrics")
    assert not [line for line in text.splitlines() if line.startswith("blindrelay_messages_waiting")]
    assert json.loads((await get(relay, "/status"))[1])["waiting"] is None
