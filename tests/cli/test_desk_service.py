"""`blindrelay desk suspend`, `resume`, `service`, `seat`: over HTTPS to a relay that runs, with a person's token."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

from blindrelay.cli import desk_service
from blindrelay.protocol.clock import SystemClock
from blindrelay.protocol.endpoint import FILE_NAME, Endpoint
from blindrelay.relay.desk.desk import Desk
from blindrelay.relay.desk.http.application import Doors
from blindrelay.relay.desk.http.opening import Place, doors_of, open_doors
from blindrelay.relay.desk.http.operators import operator_router
from blindrelay.relay.server import Relay
from support import site
from support.clerks import Office, Outside, Script, still_clock
from support.commands import Ran
from support.tenants import Tenant

_GROUP = click.Group(
    "desk",
    commands=[desk_service.suspend, desk_service.resume, desk_service.service, desk_service.seat],
)


class Running:
    """A relay with its desk in a thread of its own, and ada's token."""

    def __init__(self, folder: Path, token_file: Path, tenant: Tenant) -> None:
        self.folder = folder
        self.token_file = token_file
        self._tenant = tenant
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Running":
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        (self.folder / "office").mkdir(parents=True)
        office = Office(self.folder / "office", still_clock(), Script(), Outside())
        office.found()
        desk = office.desk()
        token = desk.operators.add("ada", at=datetime.now(UTC))
        self.token_file.write_text(f"{token}\n")
        self.token_file.chmod(0o600)
        async with site.relay_in(self.folder, desk={"enabled": True, "https_port": 0}) as relay:
            await site.register(relay, self._tenant)
            server, port = await open_doors(_doors(relay, desk), _place(relay))
            Endpoint(host="127.0.0.1", port=relay.port, ca_certificate="relay.crt", desk_port=port).write(
                self.folder / FILE_NAME
            )
            self._ready.set()
            await self._stop.wait()
            await server.stop()
        desk.journal.close()


def _doors(relay: Relay, desk: Desk) -> Doors:
    identity = relay.desk_identity
    assert identity is not None
    return doors_of(
        desk,
        journal=desk.journal,
        register=desk.register,
        identity=identity,
        jurisdictions=("us",),
        clock=SystemClock(),
        version="1",
        operators=operator_router(desk, relay.services, relay.tenants),
    )


def _place(relay: Relay) -> Place:
    return Place("127.0.0.1", 0, relay.certificate, relay.certificate.with_suffix(".key"))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One for the module: each test has a jurisdiction of its own."""
    folder = tmp_path_factory.mktemp("running")
    tenant = Tenant("karachi.example", folder)
    with Running(folder / "relay", folder / "ada.token", tenant) as running:
        yield running


@pytest.fixture
def desk(running: Running, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run `blindrelay desk ...` as ada."""

    def call(*arguments: object, token_file: Path | None = None) -> Ran:
        options = ["--data-dir", str(running.folder), "--token-file", str(token_file or running.token_file)]
        try:
            outcome = _GROUP.main([str(one) for one in arguments] + options, "desk", standalone_mode=False)
            code = outcome if isinstance(outcome, int) else 0
        except click.ClickException as error:
            error.show()
            code = error.exit_code
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return call


def test_announce_extend_and_rescind(desk: Callable[..., Ran]) -> None:
    """Each command prints where the service stands then."""
    assert "pk: noticed, from 2099-11-30" in desk("suspend", "pk", "--on", "2099-11-30", "--note", "order 17").out
    assert "pk: noticed, from 2099-12-30" in desk("service", "extend", "pk", "--on", "2099-12-30").out
    assert "pk: rescinded" in desk("service", "rescind", "pk").out

    shown = desk("service", "show", "pk").out
    assert "announce -> noticed, by ada: order 17" in shown
    assert "tenants: none" in shown


def test_suspend_and_resume(desk: Callable[..., Ran]) -> None:
    """At once, when no day is named; JSON says the same."""
    assert json.loads(desk("suspend", "in", "--json").out.splitlines()[-1])["state"] == "suspended"
    assert "in: running" in desk("resume", "in").out


def test_what_is_not_possible(desk: Callable[..., Ran]) -> None:
    """Exit code 5, and a sentence with what is."""
    ran = desk("resume", "br")

    assert ran.code == 5
    assert "running" in ran.err
    assert ran.out == ""


def test_a_seat(desk: Callable[..., Ran]) -> None:
    """The operator says where a tenant is, and can take that back."""
    assert desk("seat", "karachi.example", "tr").code == 0
    assert "karachi.example" in desk("service", "show", "tr").out
    assert desk("seat", "karachi.example", "--unknown").code == 0
    assert "karachi.example" not in desk("service", "show", "tr").out
    assert desk("seat", "karachi.example").code == 2


def test_a_token_that_others_can_read(desk: Callable[..., Ran], running: Running, tmp_path: Path) -> None:
    """It is not used: what anybody can read names nobody."""
    open_token = tmp_path / "token"
    open_token.write_text(running.token_file.read_text())
    open_token.chmod(0o644)

    ran = desk("resume", "pk", token_file=open_token)

    assert ran.code == 2
    assert "chmod 600" in ran.err


def test_a_token_of_nobodys(desk: Callable[..., Ran], tmp_path: Path) -> None:
    """Refused, and the token is not repeated."""
    false = tmp_path / "token"
    false.write_text("not-a-token-of-ours")
    false.chmod(0o600)

    ran = desk("service", "show", token_file=false)

    assert ran.code == 5
    assert "not-a-token" not in ran.err


def test_a_relay_that_is_not_there(desk: Callable[..., Ran], running: Running, tmp_path: Path) -> None:
    """No endpoint, or nobody behind it: exit code 4."""
    options = ["--data-dir", str(tmp_path), "--token-file", str(running.token_file)]
    with pytest.raises(click.ClickException, match="there is no") as nowhere:
        _GROUP.main(["resume", "pk", *options], "desk", standalone_mode=False)
    assert nowhere.value.exit_code == 4


def test_a_jurisdiction_is_checked_before_anything_is_asked(desk: Callable[..., Ran]) -> None:
    """Two lower-case letters."""
    assert desk("suspend", "Pakistan").code == 2
