"""`blindrelay tenant`: an enterprise, on its own side."""

import io
import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from blindrelay.cli.exit_codes import ExitCode
from support.commands import Ran

Call = Callable[..., Ran]


def test_authority_is_for_its_owner_alone(blindrelay: Call, home: Path) -> None:
    """Every file of a tenant has mode 0600, every folder 0700."""
    assert blindrelay("tenant", "create", "globex.example").code == 0
    folder = home / "tenants" / "globex.example"
    modes = {path.is_dir(): stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.rglob("*")]}
    assert modes == {True: 0o700, False: 0o600}


def test_authority_is_never_replaced(blindrelay: Call, home: Path) -> None:
    """Creating a tenant that is there already changes nothing."""
    blindrelay("tenant", "create", "globex.example")
    root = (home / "tenants/globex.example/root.der").read_bytes()
    assert blindrelay("tenant", "create", "globex.example").code == ExitCode.STORE_UNREADABLE
    assert (home / "tenants/globex.example/root.der").read_bytes() == root


def test_keys_do_not_go_into_a_relays_directory(blindrelay: Call, relay: Path) -> None:
    """A tenant within the relay's data directory is refused before a key is made."""
    ran = blindrelay("tenant", "create", "globex.example", "--home", relay)
    assert ran.code == ExitCode.USAGE
    assert "data directory of a relay" in ran.err
    assert not (relay / "tenants").exists()


@pytest.mark.parametrize("name", ["Globex", "globex", "../globex.example", "globex.example/x", ""])
def test_name_that_is_none_is_a_usage_error(blindrelay: Call, home: Path, name: str) -> None:
    """A tenant is named like a domain; anything else is refused and makes no folder."""
    assert blindrelay("tenant", "create", name).code == ExitCode.USAGE
    assert not home.exists()


def test_list_and_show_say_what_there_is(blindrelay: Call, office: Path) -> None:
    """The tenants, their roots and certificates; no passphrase is needed for it."""
    listed = json.loads(blindrelay("tenant", "list", "--json", "--home", office).out)
    assert (listed["tenant"], listed["devices"] >= 2) == ("acme.example", True)
    shown = json.loads(blindrelay("tenant", "show", "acme.example", "--json", "--home", office).out)
    assert {"acme.example/alice/laptop", "acme.example/bob/phone"} <= {c["device"] for c in shown["certificates"]}
    assert shown["root_sha256"][:8] in blindrelay("tenant", "show", "acme.example", "--home", office).out


def test_show_of_what_is_not_there_is_a_sentence(blindrelay: Call) -> None:
    """It says what to do first."""
    ran = blindrelay("tenant", "show", "globex.example")
    assert ran.code == ExitCode.STORE_UNREADABLE
    assert "create" in ran.err
    assert "blindrelay tenant create" in blindrelay("tenant", "list").out


def test_sealed_authority_opens_with_its_passphrase_alone(
    blindrelay: Call, relay: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong passphrase: exit code 7. None, and nobody to ask: the ways to give one."""
    file = tmp_path / "pass"
    file.write_text("correct horse\n")
    assert blindrelay("tenant", "create", "sealed.example", "--passphrase-file", file).code == 0
    register = ("tenant", "register", "sealed.example", "--relay", relay)

    assert "--passphrase-file" in blindrelay(*register).err
    monkeypatch.setenv("BLINDRELAY_PASSPHRASE", "battery staple")
    assert blindrelay(*register).code == ExitCode.WRONG_PASSPHRASE
    monkeypatch.setenv("BLINDRELAY_PASSPHRASE", "correct horse")
    assert blindrelay(*register).code == ExitCode.OK


def test_where_no_relay_runs_the_command_says_how_to_start_one(blindrelay: Call) -> None:
    """Without relay there is nothing to register with."""
    blindrelay("tenant", "create", "globex.example")
    ran = blindrelay("tenant", "register", "globex.example")
    assert ran.code == ExitCode.NOT_ENROLLED
    assert "blindrelay up" in ran.err


def test_wrong_registration_code_is_refused(blindrelay: Call, relay: Path) -> None:
    """The relay takes tenants from those alone who have its code."""
    blindrelay("tenant", "create", "stranger.example")
    ran = blindrelay("tenant", "register", "stranger.example", "--relay", relay, "--code", "guess-guess-guess")
    assert ran.code == ExitCode.REFUSED


def test_name_of_somebody_else_is_refused(blindrelay: Call, relay: Path, office: Path) -> None:
    """A tenant that is registered cannot be taken over with another root."""
    blindrelay("tenant", "create", "acme.example")
    ran = blindrelay("tenant", "register", "acme.example", "--relay", relay)
    assert ran.code == ExitCode.REFUSED
    assert "another root" in ran.err


def test_device_enrolled_too_early_is_complete_and_works_later(blindrelay: Call, relay: Path, home: Path) -> None:
    """Before its tenant is registered a device can be made, and says why it is not known yet."""
    blindrelay("tenant", "create", "early.example")
    ran = blindrelay("tenant", "enrol", "early.example", "eve", "phone", "--relay", relay)
    # The relay ends the TLS handshake with a client whose CA it does not know.
    assert ran.code == ExitCode.RELAY_UNREACHABLE
    assert "tenant register" in ran.err

    blindrelay("tenant", "register", "early.example", "--relay", relay)
    ran = blindrelay("client", "listen", "--relay", relay, "--timeout", "0.2")
    assert ran.code == ExitCode.TIMED_OUT


def test_offline_enrolment_needs_no_relay(blindrelay: Call, home: Path) -> None:
    """A device can be prepared where there is no network; its folder is for its owner alone."""
    blindrelay("tenant", "create", "offline.example")
    assert blindrelay("tenant", "enrol", "offline.example", "otto", "phone", "--offline").code == 0
    folder = home / "clients/offline.example/otto/phone"
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_device_is_not_enrolled_over_another(blindrelay: Call, home: Path) -> None:
    """The second enrolment of a name fails, and the first one's keys and passphrase stay."""
    blindrelay("tenant", "create", "offline.example")
    enrol = ("tenant", "enrol", "offline.example", "otto", "phone", "--offline")
    blindrelay(*enrol)
    folder = home / "clients/offline.example/otto/phone"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert blindrelay(*enrol).code == ExitCode.STORE_UNREADABLE
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(("user", "device"), [("Eve", "phone"), ("eve", "../x"), ("", "phone")])
def test_device_of_no_name_is_refused(blindrelay: Call, home: Path, user: str, device: str) -> None:
    """Names are checked before anything is made."""
    blindrelay("tenant", "create", "offline.example")
    ran = blindrelay("tenant", "enrol", "offline.example", user, device, "--offline")
    assert ran.code == ExitCode.MALFORMED
    assert "expected" in ran.err
    assert not (home / "clients").exists()


def test_revoked_device_is_out(blindrelay: Call, relay: Path) -> None:
    """After the revocation the relay refuses the device; revoking what never was is named."""
    for arguments in (
        ("create", "gone.example"),
        ("register", "gone.example", "--relay", relay),
        ("enrol", "gone.example", "grace", "phone"),
    ):
        assert blindrelay("tenant", *arguments).code == 0
    assert blindrelay("tenant", "revoke", "gone.example", "grace", "tablet").code == ExitCode.NOT_ENROLLED
    assert blindrelay("tenant", "revoke", "gone.example", "grace", "phone", "--reason", "lost").code == 0
    (certificate,) = json.loads(blindrelay("tenant", "show", "gone.example", "--json").out)["certificates"]
    assert certificate["revoked"] is True
    assert json.loads(blindrelay("tenant", "list", "--json").out)["devices"] == 0
    assert blindrelay("client", "listen", "--timeout", "1").code == ExitCode.REFUSED


def test_leaving_asks_first_and_may_be_repeated(blindrelay: Call, relay: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody leaves by a slip; a script says --yes. The second time it says that it was done."""
    blindrelay("tenant", "create", "leaver.example")
    blindrelay("tenant", "register", "leaver.example", "--relay", relay)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    unsure = blindrelay("tenant", "leave", "leaver.example", "--relay", relay)
    assert unsure.code != ExitCode.OK
    assert "for good" in unsure.err
    assert blindrelay("tenant", "register", "leaver.example", "--relay", relay).code == 0  # it is still there

    leave = ("tenant", "leave", "leaver.example", "--relay", relay, "--yes", "--json")
    assert json.loads(blindrelay(*leave).out)["already"] is False
    assert json.loads(blindrelay(*leave).out)["already"] is True
    ran = blindrelay("tenant", "register", "leaver.example", "--relay", relay)
    assert ran.code == ExitCode.REFUSED
    assert "not given again" in ran.err
