"""Where things are kept."""

from pathlib import Path

import click
import pytest

from blindrelay.cli import places
from blindrelay.protocol.address import DeviceAddress

PHONE = DeviceAddress("globex.example", "bob", "phone")


def test_home_follows_the_xdg_base_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`XDG_DATA_HOME` moves the home; without it, it is where that specification says."""
    monkeypatch.setenv("HOME", "/home/bob")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert places.default_home() == Path("/home/bob/.local/share/blindrelay")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert places.default_home() == tmp_path / "blindrelay"


def test_everybody_has_a_place_of_their_own(tmp_path: Path) -> None:
    """A relay, a tenant and a device share no folder but the home."""
    assert places.relay_directory(tmp_path) == tmp_path / "relay"
    assert places.tenant_directory(tmp_path, "globex.example") == tmp_path / "tenants/globex.example"
    assert places.device_directory(tmp_path, PHONE) == tmp_path / "clients/globex.example/bob/phone"


@pytest.mark.parametrize("mark", ["relay.db", "relay.key"])
@pytest.mark.parametrize("depth", ["", "deeper/still"])
def test_keys_are_never_kept_in_a_relays_data_directory(tmp_path: Path, mark: str, depth: str) -> None:
    """A home within a relay's data directory is refused, by whatever way it is named."""
    relay = tmp_path / "relay"
    relay.mkdir()
    (relay / mark).touch()
    (tmp_path / "link").symlink_to(relay)

    for home in (relay / depth, tmp_path / "link" / depth, tmp_path / "x" / ".." / "relay" / depth):
        with pytest.raises(click.UsageError, match="data directory of a relay"):
            places.tenant_directory(home, "globex.example")
        with pytest.raises(click.UsageError, match="data directory of a relay"):
            places.device_directory(home, PHONE)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (places.TenantType(), "ACME"),
        (places.UserType(), "bob"),
        (places.UserType(), "bob@../../etc"),
        (places.DeviceType(), "globex.example/bob"),
        (places.DeviceType(), "globex.example/bob/../alice"),
    ],
)
def test_name_that_is_none_is_refused_where_it_is_typed(kind: "click.ParamType[object]", text: str) -> None:
    """What does not name anybody never becomes a path; the error shows what a name looks like."""
    with pytest.raises(click.BadParameter, match="expected"):
        kind.convert(text, None, None)
