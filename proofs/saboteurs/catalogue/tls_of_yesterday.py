"""Relay and clients still speak TLS 1.2, for the sake of an old device.

A handshake of it shows certificates in the clear, and may have no forward secrecy at all. Modelled on downgrades that
a server offers and everybody takes (POODLE, 2014; RFC 8996), and on ETS (ETSI TS 103 523-3, 2018), which asked for
such a mode.
"""

import ssl
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur
from blindrelay.proofs.saboteurs.patching import replace


def _in_relay() -> None:
    from blindrelay.relay import server, tls

    make = tls.server_context

    def older(*files: Any) -> ssl.SSLContext:
        context = make(*files)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context

    replace(make, older)
    assert server


def _in_clients() -> None:
    from blindrelay.clients import running, tls

    make = tls.anonymous_context

    def older(ca: bytes) -> ssl.SSLContext:
        context = make(ca)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context

    replace(make, older)
    assert running


SABOTEUR = Saboteur(
    name="tls-of-yesterday",
    title="relay and clients speak TLS 1.2",
    lock=Lock.KEYS,
    modelled_on="downgrades that a server offers (POODLE, 2014; RFC 8996; ETSI's ETS, 2018)",
    caught_by=frozenset({("wire", "unknown-connection")}),
    in_relay=_in_relay,
    in_clients=_in_clients,
)
