"""Which relay a command means."""

from pathlib import Path

import click
import pytest

from blindrelay.cli.relays import Where, hand_on
from blindrelay.clients.errors import NotEnrolled
from blindrelay.protocol.endpoint import Endpoint
from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.keys import SigningKey
from blindrelay.protocol.transparency.policy import Trust

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
    Where(str(data), None).remember(tenant)
    hand_on(tenant, device)
    assert Where().choose(device, tmp_path).port == 1111

    Endpoint(host="127.0.0.1", port=2222, ca_certificate="relay.crt").write(data / "endpoint.json")
    assert Where().choose(device, tmp_path).port == 2222


def test_relay_elsewhere_is_remembered_with_its_certificate(data: Path, tmp_path: Path) -> None:
    """The certificate is copied: the device's folder can be moved to where it is used."""
    tenant, device = tmp_path / "tenant", tmp_path / "device"
    for folder in (tenant, device):
        folder.mkdir()
    Where("mqtts://relay.example:9999", data / "relay.crt").remember(tenant)
    hand_on(tenant, device)
    (tenant / "relay.crt").unlink()
    chosen = Where().choose(device, tmp_path)
    assert (chosen.host, chosen.port, chosen.ca) == ("relay.example", 9999, CA)


def test_environment_comes_before_what_is_remembered(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--relay`, then `BLINDRELAY_URL`, then what was named last, then the one of this machine."""
    folder, home = tmp_path / "tenant", tmp_path / "home"
    folder.mkdir()
    with pytest.raises(NotEnrolled, match="blindrelay up"):
        Where().choose(folder, home)
    (home / "relay").mkdir(parents=True)
    (home / "relay/relay.crt").write_bytes(CA)
    Endpoint(host="127.0.0.1", port=3333, ca_certificate="relay.crt").write(home / "relay/endpoint.json")
    assert Where().choose(folder, home).port == 3333
    Where(str(data / "endpoint.json"), None).remember(folder)
    assert Where().choose(folder, home).port == 1111
    monkeypatch.setenv("BLINDRELAY_URL", "mqtts://127.0.0.1:4444")
    monkeypatch.setenv("BLINDRELAY_CA", str(data / "relay.crt"))
    assert Where().choose(folder, home).port == 4444
    assert Where("mqtts://127.0.0.1:5555", data / "relay.crt").choose(folder, home).port == 5555


def policy_in(folder: Path, name: str = "policy") -> Path:
    """A file with the policy of a log."""
    (file := folder / name).write_text(str(Trust(SigningKey.generate(f"{name}/directory").verifier)))
    return file


def test_a_policy_that_was_named_is_remembered_and_handed_on(data: Path, tmp_path: Path) -> None:
    """With the relay or later; it counts more than what the relay has left on this machine."""
    tenant, device = tmp_path / "tenant", tmp_path / "device"
    for folder in (tenant, device):
        folder.mkdir()
    first, second = policy_in(tmp_path, "first"), policy_in(tmp_path, "second")
    assert Where(log_policy=first, relay=str(data)).choose(tenant, tmp_path).log_policy == first.read_text()
    Where(log_policy=first, relay=str(data)).remember(tenant)
    hand_on(tenant, device)
    first.rename(tmp_path / "elsewhere")
    assert Where().choose(device, tmp_path).log_policy == (tmp_path / "elsewhere").read_text()

    Where(log_policy=second).remember(device)
    assert Where().choose(device, tmp_path).log_policy == second.read_text()
    assert Where().choose(device, tmp_path).port == 1111


def test_the_policy_of_one_relay_is_not_that_of_another(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever names another relay names another policy, or none."""
    policy = policy_in(tmp_path)
    Where(log_policy=policy, relay=str(data)).remember(tmp_path)
    other = Where("mqtts://127.0.0.1:5555", data / "relay.crt")
    assert other.choose(tmp_path, tmp_path).log_policy is None
    monkeypatch.setenv("BLINDRELAY_URL", "mqtts://127.0.0.1:4444")
    monkeypatch.setenv("BLINDRELAY_CA", str(data / "relay.crt"))
    assert Where().choose(tmp_path, tmp_path).log_policy is None
    monkeypatch.delenv("BLINDRELAY_URL")
    other.remember(tmp_path)
    assert Where().choose(tmp_path, tmp_path).log_policy is None


def test_a_policy_that_is_none_is_refused(data: Path, tmp_path: Path) -> None:
    """Before anything is believed by it."""
    (tmp_path / "policy").write_text("quorum none\n")
    with pytest.raises(Malformed, match="no policy of a log"):
        Where(str(data), log_policy=tmp_path / "policy").choose(tmp_path, tmp_path)


def test_options_that_do_not_go_together_are_a_usage_error(data: Path, tmp_path: Path) -> None:
    """An address without certificate, a certificate without address."""
    with pytest.raises(click.UsageError, match="--ca"):
        Where("mqtts://127.0.0.1:1", None).choose(tmp_path, tmp_path)
    with pytest.raises(click.UsageError, match="--relay"):
        Where(None, data / "relay.crt").choose(tmp_path, tmp_path)
    with pytest.raises(Malformed):
        Where("https://127.0.0.1:1", data / "relay.crt").choose(tmp_path, tmp_path)


def test_relay_that_does_not_run_is_named(tmp_path: Path) -> None:
    """A data directory without endpoint is one of a relay that does not run."""
    with pytest.raises(NotEnrolled, match="while it runs"):
        Where(str(tmp_path), None).choose(tmp_path, tmp_path)
