"""The relay's side of TLS: one version, clients with or without certificate, roots that come while it runs."""

import ssl
from pathlib import Path

import pytest

from blindrelay.relay import tls
from blindrelay.relay.datadir import DataDirectory
from blindrelay.relay.errors import Unreadable
from support.tenants import Tenant


@pytest.fixture
def context(tmp_path: Path) -> ssl.SSLContext:
    """A context as the listener has it."""
    with DataDirectory.open(tmp_path / "r", now=1_800_000_000) as directory:
        return tls.server_context(directory.certificate, directory.key)


def test_only_tls_1_3_and_no_tickets(context: ssl.SSLContext) -> None:
    """M10: no version with renegotiation; and nothing that would tie two connections together."""
    assert (context.minimum_version, context.maximum_version) == (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3)
    assert context.num_tickets == 0


def test_a_certificate_may_be_shown_and_need_not(context: ssl.SSLContext) -> None:
    """Sealed senders show none."""
    assert context.verify_mode is ssl.CERT_OPTIONAL


def test_the_system_s_roots_are_not_trusted(context: ssl.SSLContext, tmp_path: Path) -> None:
    """Nobody but registered tenants vouches for a client."""
    assert context.get_ca_certs() == []
    tls.trust(context, Tenant("acme.example", tmp_path).root_der)
    assert len(context.get_ca_certs()) == 1


def test_a_key_that_does_not_fit_is_a_sentence(tmp_path: Path) -> None:
    """Key and certificate of different pairs are refused with what to do."""
    with (
        DataDirectory.open(tmp_path / "a", now=1_800_000_000) as one,
        DataDirectory.open(tmp_path / "b", now=1_800_000_000) as two,
        pytest.raises(Unreadable, match="delete both to get new ones"),
    ):
        tls.server_context(one.certificate, two.key)
