"""Isolation: what the relay's process has loaded, calls, starts and speaks to."""

from pathlib import Path

import pytest

from blindrelay.proofs.checks import isolation
from support.proofs import audited, evidence, moment, reasons, report_for, verdict

WITNESS = "127.0.0.1:7001"
DECLARED = ("uvloop.create_connection", "('127.0.0.1', 7001, {'ssl': None})")


@pytest.mark.parametrize(
    ("event", "argument", "reason"),
    [
        (*DECLARED, None),
        ("socket.connect", "(<socket.socket fd=9>, ('127.0.0.1', 7001))", None),
        ("socket.getaddrinfo", "('127.0.0.1', 0, 0, 1, 0)", None),
        ("socket.connect", "(<socket.socket fd=9>, ('192.0.2.7', 443))", "egress"),
        ("uvloop.create_connection", "('127.0.0.1', 7002, {})", "egress"),
        ("uvloop.create_connection", "({'sock': <socket.socket fd=9>},)", "egress"),
        ("uvloop.create_datagram_endpoint", "({'remote_addr': ('127.0.0.1', 7001)},)", "egress"),
        ("socket.getaddrinfo", "('telemetry.example', 443, 0, 1, 0)", "egress"),
        ("uvloop.getaddrinfo", "('telemetry.example', 443, {})", "egress"),
        ("subprocess.Popen", "('/bin/sh', ['-c', 'true'], None, None)", "subprocess"),
        ("uvloop.subprocess_exec", "('/bin/true', {})", "subprocess"),
        ("os.posix_spawn", "('/bin/true',)", "subprocess"),
    ],
)
def test_what_the_process_does_to_the_outside(event: str, argument: str, reason: str | None, tmp_path: Path) -> None:
    """It connects to those that its configuration names, and does nothing else."""
    audited(tmp_path, (event, argument))
    report = report_for("isolation")

    isolation._outside(evidence(tmp_path, peers=[WITNESS]), report)

    assert reasons(report) == ([reason] if reason else [])


def test_connections_that_the_system_knows_of_count(tmp_path: Path) -> None:
    """Whoever made them, Python or not."""
    report = report_for("isolation")
    moments = [moment(outward=[WITNESS]), moment(outward=[WITNESS, "192.0.2.7:443"])]

    isolation._outside(evidence(tmp_path, peers=[WITNESS], moments=moments), report)

    (finding,) = report.verdict("isolation", 0.0).findings
    assert "192.0.2.7:443" in finding.text


def test_a_process_that_nobody_has_heard_of_shows_nothing(tmp_path: Path) -> None:
    """If no connection to a declared peer was heard of, none to another one would have been."""
    error = verdict("isolation", evidence(tmp_path, peers=[WITNESS])).error or ""

    assert "audited events" in error
    assert "connections to declared peers" in error


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("blindrelay.relay.server", None),
        ("blindrelay.proofs.evidence.child", None),
        ("cryptography.hazmat.primitives.hpke", None),
        ("blindrelay.clients.envelope", "module"),
        ("blindrelay.console.server", "module"),
        ("blindrelay.witness.service", "module"),
        ("vodozemac", "module"),
        ("aiomqtt.client", "module"),
    ],
)
def test_modules_that_the_relay_must_not_have_loaded(module: str, reason: str | None, tmp_path: Path) -> None:
    """Clients, whatever brings them along, and every other room."""
    report = report_for("isolation")

    isolation._modules(evidence(tmp_path, modules={module: None}), report)

    assert reasons(report) == ([reason] if reason else [])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("cipher.decrypt(nonce, data, None)", "opening-call"),
        ("key.exchange(other)", "opening-call"),
        ("self.exchange(peer)", None),
        ("cipher.encrypt(nonce, data, None)", None),
    ],
)
def test_code_of_the_relay_that_opens_something(line: str, reason: str | None, tmp_path: Path) -> None:
    """In the file of any module that it has loaded."""
    path = tmp_path / "new.py"
    path.write_text(f"def work(self, cipher, key, nonce, data, other, peer):\n    return {line}\n")
    report = report_for("isolation")

    isolation._modules(evidence(tmp_path, modules={"blindrelay.relay.new": str(path)}), report)

    assert reasons(report) == ([reason] if reason else [])


def test_a_relay_that_does_not_say_what_it_has_loaded(tmp_path: Path) -> None:
    """It is found, and not passed over."""
    report = report_for("isolation")
    isolation._modules(evidence(tmp_path), report)

    assert reasons(report) == ["module"]


@pytest.mark.parametrize(
    ("target", "is_foreign"),
    [
        ("blindrelay.clients.device.Device", True),
        ("blindrelay.cli", True),
        ("blindrelay.relay.server", False),
        ("blindrelay.__version__", False),
    ],
)
def test_rooms_that_the_relay_may_not_enter(target: str, *, is_foreign: bool) -> None:
    """All but its own three."""
    assert isolation._is_foreign(target) is is_foreign


def test_the_import_contracts_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that stand in the source tree hold; one that does not is found."""
    report = report_for("isolation")
    isolation._contracts(report)
    assert report.missing(["import contracts"]) == []
    assert reasons(report) == []

    run = isolation.subprocess.run

    def breaking(*arguments: object, **keywords: object) -> object:
        done = run(*arguments, **keywords)  # type: ignore[call-overload]
        done.stdout = done.stdout.replace(" KEPT", " BROKEN", 1)
        return done

    monkeypatch.setattr(isolation.subprocess, "run", breaking)
    isolation._contracts(report)

    assert reasons(report) == ["import"]
