"""The key of a device, on its way to the ssl module, which reads files alone."""

import os
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from blindrelay.clients import tls
from blindrelay.clients.enterprise.ca import Authority
from blindrelay.clients.tls import identified_context
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.clock import SystemClock

Contents = list[dict[str, bytes]]


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Contents:
    """What is in the folder for temporary files whenever the ssl module reads a key."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found: Contents = []
    load: Callable[..., None] = ssl.SSLContext.load_cert_chain

    def noting(context: ssl.SSLContext, path: Path, password: str) -> None:
        found.append({each.name: each.read_bytes() for each in tmp_path.iterdir()})
        load(context, path, password=password)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", noting)
    return found


def _connect() -> None:
    authority = Authority.create("acme.example", SystemClock())
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = authority.issue_device(DeviceAddress("acme.example", "alice", "laptop"), key.public_key())
    identified_context(authority.root.public_bytes(Encoding.PEM), certificate, key)


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="this system has no files without a name")
def test_a_key_is_on_no_disk(seen: Contents, tmp_path: Path) -> None:
    """Not for a moment, and not encrypted either: whoever is killed in that moment would leave it."""
    _connect()

    assert seen == [{}]


def test_where_files_have_names_it_is_encrypted_and_gone(
    seen: Contents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For its owner alone, while it is there."""
    monkeypatch.setattr(tls, "_nameless", lambda _: None)
    _connect()

    ((data,),) = [each.values() for each in seen]
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in data
    assert list(tmp_path.iterdir()) == []
