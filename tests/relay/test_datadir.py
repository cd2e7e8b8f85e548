"""The data directory: made once, for the owner alone, for one relay at a time."""

import os
import ssl
import stat
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from blindrelay.relay import tls
from blindrelay.relay.datadir import DataDirectory
from blindrelay.relay.errors import DataDirectoryInUse, ExitStatus, NewerVersion, Unreadable
from support import site

NOW = time.time()


def opened(path: Path) -> DataDirectory:
    """Open, now."""
    return DataDirectory.open(path, now=NOW)


async def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    """S11: every directory is 0700 and every file 0600, after creation, while running, and after a restart."""
    folder = tmp_path / "deep" / "relay"
    before = os.umask(0o000)
    try:
        for _ in range(2):
            async with site.relay_in(folder):
                assert stat.S_IMODE(folder.stat().st_mode) == 0o700
                modes = {
                    (path.name, path.is_dir()): oct(stat.S_IMODE(path.stat().st_mode)) for path in folder.rglob("*")
                }
                assert {mode for (_, is_dir), mode in modes.items() if is_dir} == {"0o700"}, modes
                assert {mode for (_, is_dir), mode in modes.items() if not is_dir} == {"0o600"}, modes
            folder.chmod(0o755)
    finally:
        os.umask(before)


def test_what_was_made_stays(tmp_path: Path) -> None:
    """Key, certificate and registration code are the same the next time."""
    with opened(tmp_path / "r") as first:
        before = (first.key.read_bytes(), first.certificate.read_bytes(), first.registration_code)
    with opened(tmp_path / "r") as second:
        assert (second.key.read_bytes(), second.certificate.read_bytes(), second.registration_code) == before
    with opened(tmp_path / "other") as other:
        assert other.registration_code != before[2]


def test_a_new_certificate_is_good_for_as_long_as_was_asked(tmp_path: Path) -> None:
    """From an hour before the given moment until the end of the lifetime; one that is there is left alone."""
    start = datetime(2015, 7, 22, tzinfo=UTC)
    for lifetime in (timedelta(days=5_000), timedelta(days=1)):
        with DataDirectory.open(tmp_path / "r", now=start.timestamp(), lifetime=lifetime) as directory:
            certificate = x509.load_pem_x509_certificate(directory.certificate.read_bytes())
        assert certificate.not_valid_before_utc == start - timedelta(hours=1)
        assert certificate.not_valid_after_utc == start + timedelta(days=5_000)


def test_the_certificate_is_for_this_machine(tmp_path: Path) -> None:
    """It names localhost and the two loopback addresses, is no CA, and is good for TLS."""
    with opened(tmp_path / "r") as directory:
        certificate = x509.load_pem_x509_certificate(directory.certificate.read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert [str(name.value) for name in names] == ["localhost", "127.0.0.1", "::1"]
        assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        context = tls.server_context(directory.certificate, directory.key)
        assert context.minimum_version is ssl.TLSVersion.TLSv1_3
        assert context.verify_mode is ssl.CERT_OPTIONAL
        assert context.num_tickets == 0


def test_a_secret_does_not_show_itself(tmp_path: Path) -> None:
    """The registration code is not in the repr."""
    with opened(tmp_path / "r") as directory:
        assert directory.registration_code not in repr(directory)
        assert len(directory.registration_code) >= 24


def test_one_relay_at_a_time(tmp_path: Path) -> None:
    """A second relay is told that the directory is in use; when the first has left, it may have it."""
    with opened(tmp_path / "r"):
        with pytest.raises(DataDirectoryInUse, match="in use by another relay") as caught:
            opened(tmp_path / "r")
        assert caught.value.exit_status is ExitStatus.IN_USE
    opened(tmp_path / "r").close()


def test_a_newer_layout_is_left_alone(tmp_path: Path) -> None:
    """What a newer release wrote is not touched."""
    opened(tmp_path / "r").close()
    (tmp_path / "r" / "version").write_text("2\n")
    with pytest.raises(NewerVersion, match="newer release"):
        opened(tmp_path / "r")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("version", b"", "version is damaged"),
        ("version", b"one", "version is damaged"),
        ("version", "²".encode(), "version is damaged"),
        ("version", b"9" * 5_000, "version is damaged"),
        ("registration-code", b"", "registration-code is damaged"),
        ("registration-code", b"\n", "registration-code is damaged"),
        ("registration-code", b"short", "registration-code is damaged"),
        ("registration-code", b"\xff" * 40, "registration-code is damaged"),
    ],
)
def test_damage_is_named(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    """S10: a damaged or empty file is never taken for "no secret needed"; nothing is left locked."""
    opened(tmp_path / "r").close()
    good = (tmp_path / "r" / name).read_bytes()
    (tmp_path / "r" / name).write_bytes(content)
    with pytest.raises(Unreadable, match=words):
        opened(tmp_path / "r")
    (tmp_path / "r" / name).write_bytes(good)
    opened(tmp_path / "r").close()


@pytest.mark.parametrize("name", ["relay.key", "relay.crt"])
def test_half_a_pair_is_not_replaced(tmp_path: Path, name: str) -> None:
    """A lost key or certificate is said to be lost: a new one would lock out all who trust the old one."""
    opened(tmp_path / "r").close()
    (tmp_path / "r" / name).unlink()
    with pytest.raises(Unreadable, match=f"{name} is missing"):
        opened(tmp_path / "r")


@pytest.mark.parametrize("name", ["relay.key", "relay.crt"])
async def test_a_damaged_key_is_a_sentence(tmp_path: Path, name: str) -> None:
    """A relay whose key or certificate is no such thing does not start, and leaves nothing locked."""
    opened(tmp_path / "r").close()
    good = (tmp_path / "r" / name).read_bytes()
    (tmp_path / "r" / name).write_bytes(b"-----BEGIN NONSENSE-----")
    with pytest.raises(Unreadable, match="TLS key and certificate"):
        await site.relay_in(tmp_path / "r").start()
    (tmp_path / "r" / name).write_bytes(good)
    async with site.relay_in(tmp_path / "r"):
        pass


async def test_a_damaged_database_is_a_sentence(tmp_path: Path) -> None:
    """A database that is none keeps the relay from starting, and everybody out."""
    async with site.relay_in(tmp_path / "r"):
        pass
    (tmp_path / "r" / "relay.db").write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(Unreadable, match=r"relay\.db"):
        await site.relay_in(tmp_path / "r").start()


def test_a_file_in_the_way_is_a_sentence(tmp_path: Path) -> None:
    """A path that is no directory, or lies below a file, is named."""
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path / "file" / "r"):
        with pytest.raises(Unreadable, match="cannot be used as a data directory"):
            opened(path)
