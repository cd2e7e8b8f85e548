"""Where a desk is (`clients/authority/address.py`)."""

from pathlib import Path

import pytest

from blindrelay.clients.authority.address import DeskAddress
from blindrelay.clients.errors import NotEnrolled
from blindrelay.protocol.endpoint import FILE_NAME, Endpoint
from blindrelay.protocol.errors import Malformed


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    """A certificate's file."""
    path = tmp_path / "relay.crt"
    path.write_bytes(b"certificate")
    return path


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://desk.example", "https://desk.example:8884"),
        ("https://desk.example:9000/", "https://desk.example:9000"),
        ("https://[::1]:9000", "https://[::1]:9000"),
    ],
)
def test_an_address_as_people_write_it(ca: Path, url: str, expected: str) -> None:
    """The port is 8884 where none is named."""
    address = DeskAddress.from_url(url, ca)

    assert (address.url, address.ca) == (expected, b"certificate")


@pytest.mark.parametrize(
    "url",
    ["http://desk.example", "mqtts://desk.example", "https://", "https://d:99999", "https://d:0", "https://d/x", "d"],
)
def test_what_is_no_address(ca: Path, url: str) -> None:
    """Another scheme, a path, a port that there is not."""
    with pytest.raises(Malformed, match="https://host:port"):
        DeskAddress.from_url(url, ca)


def test_the_file_that_a_relay_leaves(tmp_path: Path, ca: Path) -> None:
    """It names the desk's port; that of a relay without a desk does not."""
    Endpoint(host="127.0.0.1", port=1, ca_certificate=ca.name, desk_port=2).write(tmp_path / FILE_NAME)
    assert DeskAddress.from_file(tmp_path / FILE_NAME).url == "https://127.0.0.1:2"
    Endpoint(host="127.0.0.1", port=1, ca_certificate=ca.name).write(tmp_path / FILE_NAME)

    with pytest.raises(NotEnrolled, match="without a lawful desk"):
        DeskAddress.from_file(tmp_path / FILE_NAME)


def test_the_environment_counts_before_this_machine(tmp_path: Path, ca: Path) -> None:
    """BLINDRELAY_DESK with BLINDRELAY_CA; else the relay of the home; else a sentence."""
    home = {"BLINDRELAY_HOME": str(tmp_path / "home")}
    with pytest.raises(NotEnrolled, match="blindrelay up"):
        DeskAddress.find(home)
    with pytest.raises(NotEnrolled, match="BLINDRELAY_CA"):
        DeskAddress.find(home | {"BLINDRELAY_DESK": "https://d"})
    assert DeskAddress.find(home | {"BLINDRELAY_DESK": "https://d", "BLINDRELAY_CA": str(ca)}).host == "d"
    (tmp_path / "home" / "relay").mkdir(parents=True)
    (tmp_path / "home" / "relay" / "relay.crt").write_bytes(b"x")
    Endpoint(host="127.0.0.1", port=1, ca_certificate="relay.crt", desk_port=2).write(
        tmp_path / "home" / "relay" / FILE_NAME
    )
    assert DeskAddress.find(home).port == 2


def test_the_certificate_is_not_there(tmp_path: Path) -> None:
    """It says which file."""
    with pytest.raises(NotEnrolled, match="nowhere"):
        DeskAddress.from_url("https://d", tmp_path / "nowhere")
