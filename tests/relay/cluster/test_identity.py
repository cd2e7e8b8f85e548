"""The identity that nodes share: made once, whole or not used, and never written by a node."""

from pathlib import Path

import pytest
from cryptography import x509

from blindrelay.protocol.clock import SystemClock
from blindrelay.relay.cluster import identity
from blindrelay.relay.datadir import DataDirectory
from blindrelay.relay.errors import Unreadable

CLOCK = SystemClock()


def test_it_is_made_once(tmp_path: Path) -> None:
    """What is there stays: the nodes that have it go on."""
    made = identity.create(tmp_path / "identity", CLOCK, hosts=["relay.example", "192.0.2.1"], origin="relay.example")
    before = {name: (tmp_path / "identity" / name).read_bytes() for name in identity.FILES}

    assert made == list(identity.FILES)
    assert identity.create(tmp_path / "identity", CLOCK) == []
    assert before == {name: (tmp_path / "identity" / name).read_bytes() for name in identity.FILES}


def test_its_certificate_is_good_for_the_names_that_clients_use(tmp_path: Path) -> None:
    """Behind a balancer that is not localhost."""
    identity.create(tmp_path, CLOCK, hosts=["relay.example"])
    certificate = x509.load_pem_x509_certificate((tmp_path / "relay.crt").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    assert names.get_values_for_type(x509.DNSName) == ["localhost", "relay.example"]


def test_its_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    """There are private keys among them."""
    identity.create(tmp_path / "identity", CLOCK)

    assert (tmp_path / "identity").stat().st_mode & 0o777 == 0o700
    assert {(tmp_path / "identity" / name).stat().st_mode & 0o777 for name in identity.FILES} == {0o600}


@pytest.mark.parametrize("name", identity.FILES)
def test_half_of_one_is_not_used(tmp_path: Path, name: str) -> None:
    """A node that made up the rest by itself would be another relay."""
    identity.create(tmp_path, CLOCK)
    (tmp_path / name).unlink()

    with pytest.raises(Unreadable, match=rf"{name} is missing: make one with `blindrelay node init"):
        identity.check(tmp_path)


@pytest.mark.parametrize("text", ["", "00", "no hex at all, and a secret at that", "\N{SNOWMAN}"])
def test_a_damaged_key_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    """Whatever is in the file."""
    (tmp_path / "cluster.key").write_text(text, "utf-8")

    with pytest.raises(Unreadable, match="is damaged") as refusal:
        identity.cluster_key(tmp_path)
    assert "secret" not in str(refusal.value)


def test_a_node_writes_nothing_into_it(tmp_path: Path) -> None:
    """It may be mounted read-only; the node's own directory is another one."""
    identity.create(tmp_path / "identity", CLOCK)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "identity").rglob("*")}
    with DataDirectory.open(tmp_path / "node", now=CLOCK.now(), identity=tmp_path / "identity") as directory:
        assert directory.certificate == tmp_path / "identity" / "relay.crt"
        assert directory.registration_code == (tmp_path / "identity" / "registration-code").read_text().strip()

    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "identity").rglob("*")}
    assert sorted(path.name for path in (tmp_path / "node").iterdir()) == ["lock", "version"]
