"""Which relay: environment, file, and what is said when there is none."""

from pathlib import Path

import pytest

from blindrelay.clients.errors import NotEnrolled
from blindrelay.clients.relay_address import DEFAULT_PORT, RelayAddress, home
from blindrelay.protocol.endpoint import FILE_NAME, Endpoint
from blindrelay.protocol.errors import Malformed


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    """A file that a CA certificate might be in."""
    path = tmp_path / "ca.pem"
    path.write_text("PEM")
    return path


def test_the_environment_names_the_relay(ca: Path) -> None:
    """URL, CA and code come from three variables."""
    variables = {
        "BLINDRELAY_URL": "mqtts://relay.example:1234",
        "BLINDRELAY_CA": str(ca),
        "BLINDRELAY_REGISTRATION_CODE": "code",
    }
    assert RelayAddress.find(variables) == RelayAddress("relay.example", 1234, b"PEM", "code")


def test_the_port_may_be_left_out(ca: Path) -> None:
    """It is IANA's then."""
    assert RelayAddress.from_url("mqtts://relay.example", ca).port == DEFAULT_PORT


@pytest.mark.parametrize(
    "url", ["mqtt://a", "relay.example:8883", "mqtts://", "mqtts://a:0", "mqtts://a:99999", "mqtts://a/b"]
)
def test_other_urls_are_refused(url: str, ca: Path) -> None:
    """The error says what a relay's address looks like."""
    with pytest.raises(Malformed, match="mqtts://host:port"):
        RelayAddress.from_url(url, ca)


def test_a_url_without_ca_is_not_trusted(ca: Path) -> None:
    """The system's authorities do not count, so somebody must name one."""
    with pytest.raises(NotEnrolled, match="BLINDRELAY_CA"):
        RelayAddress.find({"BLINDRELAY_URL": "mqtts://relay.example"})
    with pytest.raises(NotEnrolled, match="cannot be read"):
        RelayAddress.find({"BLINDRELAY_URL": "mqtts://relay.example", "BLINDRELAY_CA": str(ca) + "x"})


def test_the_relay_of_this_machine_leaves_its_address(tmp_path: Path) -> None:
    """What `blindrelay up` writes into its data directory is found without any argument."""
    folder = tmp_path / "relay"
    folder.mkdir()
    (folder / "relay.crt").write_text("PEM")
    (folder / "registration-code").write_text("secret\n")
    Endpoint(host="127.0.0.1", port=4711, ca_certificate="relay.crt", registration_code="registration-code").write(
        folder / FILE_NAME
    )
    found = RelayAddress.find({"BLINDRELAY_HOME": str(tmp_path)})
    assert found == RelayAddress("127.0.0.1", 4711, b"PEM", "secret")
    assert "secret" not in repr(found)


def test_no_relay_says_what_to_run(tmp_path: Path) -> None:
    """Neither variables nor a running relay: the error names the command."""
    with pytest.raises(NotEnrolled, match="blindrelay up"):
        RelayAddress.find({"BLINDRELAY_HOME": str(tmp_path)})


def test_home_follows_the_conventions() -> None:
    """Ours first, then XDG's, then the usual place."""
    assert home({"BLINDRELAY_HOME": "/a", "XDG_DATA_HOME": "/b"}) == Path("/a")
    assert home({"XDG_DATA_HOME": "/b"}) == Path("/b/blindrelay")
    assert home({}) == Path.home() / ".local/share/blindrelay"
