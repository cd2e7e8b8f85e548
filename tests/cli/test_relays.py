"""Which relay a command means."""

from pathlib import Path

import click
import pytest

from blindrelay.cli import relays
from blindrelay.clients.errors import NotEnrolled
from blindrelay.protocol.endpoint import Endpoint
from blindrelay.protocol.errors import Malformed

CA = b"-----BEGIN CERTIFICATE-----\n"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a relay on port 1111 leaves in its data directory."""
    monkeypatch.delenv("BLINDRELAY_URL", raising=False)
    data = tmp_path / "somewhere"
    data.mkdir()
    (data / "relay.crt").write_bytes(CA)
    Endpoint(host="127.0.0.1", port=1111, ca_certificate="relay.crt").write(data / "endpoint.json")
    return data


def test_relay_that_was_named_is_remembered_and_handed_on(data: Path, tmp_path: Path) -> None:
    """A tenant's devices use its relay, also after that has started anew on another port."""
    tenant, device = tmp_path / "tenant", tmp_path / "device"
    for folder in (tenant, device):
        folder.mkdir()
    relays.remember(str(data), None, tenant)
    relays.hand_on(tenant, device)
    assert relays.choose(None, None, device, tmp_path).port == 1111

    Endpoint(host="127.0.0.1", port=2222, ca_certificate="relay.crt").write(data / "endpoint.json")
    assert relays.choose(None, None, device, tmp_path).port == 2222


def test_relay_elsewhere_is_remembered_with_its_certificate(data: Path, tmp_path: Path) -> None:
    """The certificate is copied: the device's folder can be moved to where it is used."""
    tenant, device = tmp_path / "tenant", tmp_path / "device"
    for folder in (tenant, device):
        folder.mkdir()
    relays.remember("mqtts://relay.example:9999", data / "relay.crt", tenant)
    relays.hand_on(tenant, device)
    (tenant / "relay.crt").unlink()
    chosen = relays.choose(None, None, device, tmp_path)
    assert (chosen.host, chosen.port, chosen.ca) == ("relay.example", 9999, CA)


def test_environment_comes_before_what_is_remembered(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--relay`, then `BLINDRELAY_URL`, then what was named last, then the one of this machine."""
    folder, home = tmp_path / "tenant", tmp_path / "home"
    folder.mkdir()
    with pytest.raises(NotEnrolled, match="blindrelay up"):
        relays.choose(None, None, folder, home)
    (home / "relay").mkdir(parents=True)
    (home / "relay/relay.crt").write_bytes(CA)
    Endpoint(host="127.0.0.1", port=3333, ca_certificate="relay.crt").write(home / "relay/endpoint.json")
    assert relays.choose(None, None, folder, home).port == 3333
    relays.remember(str(data / "endpoint.json"), None, folder)
    assert relays.choose(None, None, folder, home).port == 1111
    monkeypatch.setenv("BLINDRELAY_URL", "mqtts://127.0.0.1:4444")
    monkeypatch.setenv("BLINDRELAY_CA", str(data / "relay.crt"))
    assert relays.choose(None, None, folder, home).port == 4444
    assert relays.choose("mqtts://127.0.0.1:5555", data / "relay.crt", folder, home).port == 5555


def test_options_that_do_not_go_together_are_a_usage_error(data: Path, tmp_path: Path) -> None:
    """An address without certificate, a certificate without address."""
    with pytest.raises(click.UsageError, match="--ca"):
        relays.choose("mqtts://127.0.0.1:1", None, tmp_path, tmp_path)
    with pytest.raises(click.UsageError, match="--relay"):
        relays.choose(None, data / "relay.crt", tmp_path, tmp_path)
    with pytest.raises(Malformed):
        relays.choose("https://127.0.0.1:1", data / "relay.crt", tmp_path, tmp_path)


def test_relay_that_does_not_run_is_named(tmp_path: Path) -> None:
    """A data directory without endpoint is one of a relay that does not run."""
    with pytest.raises(NotEnrolled, match="while it runs"):
        relays.choose(str(tmp_path), None, tmp_path, tmp_path)
