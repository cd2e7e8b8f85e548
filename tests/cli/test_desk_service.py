"""`blindrelay desk suspend`, `resume`, `service`, `seat`: over HTTPS to a relay that runs, with a person's token."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from blindrelay.cli import desk_service
from support.commands import Ran
from support.running_desk import Running
from support.tenants import Tenant

_GROUP = click.Group(
    "desk",
    commands=[
        desk_service.suspend,
        desk_service.resume,
        desk_service.service,
        desk_service.seat,
        desk_service.put_out,
    ],
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One for the module: each test has a jurisdiction of its own."""
    folder = tmp_path_factory.mktemp("running")
    tenant = Tenant("karachi.example", folder)
    with Running(folder / "relay", folder, tenant) as running:
        yield running


@pytest.fixture
def desk(running: Running, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run `blindrelay desk ...` as ada."""

    def call(*arguments: object, token_file: Path | None = None) -> Ran:
        options = ["--data-dir", str(running.folder), "--token-file", str(token_file or running.token_file())]
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


def test_a_tenant_is_put_out_when_somebody_says_yes(desk: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is put out by a slip, nor who is not there."""
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    with pytest.raises(click.Abort):
        desk("put-out", "karachi.example")
    assert desk("seat", "karachi.example", "tr").code == 0  # it is still there
    assert desk("put-out", "nobody.example", "--yes").code == 5


def test_a_token_that_others_can_read(desk: Callable[..., Ran], running: Running, tmp_path: Path) -> None:
    """It is not used: what anybody can read names nobody."""
    open_token = tmp_path / "token"
    open_token.write_text(running.token_file().read_text())
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
    options = ["--data-dir", str(tmp_path), "--token-file", str(running.token_file())]
    with pytest.raises(click.ClickException, match="there is no") as nowhere:
        _GROUP.main(["resume", "pk", *options], "desk", standalone_mode=False)
    assert nowhere.value.exit_code == 4


def test_a_jurisdiction_is_checked_before_anything_is_asked(desk: Callable[..., Ran]) -> None:
    """Two lower-case letters."""
    assert desk("suspend", "Pakistan").code == 2
