"""Authorities open packages whether the public log has them or not.

Modelled on clients that were shown a promise and never asked for the proof: browsers and signed certificate
timestamps (Dahlberg et al.: Privacy-Preserving and Incrementally-Deployable Support for Certificate Transparency in
Tor, 2021).
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients.authority import receipt

    receipt._check_package = lambda *_: None
    receipt._check_before = lambda *_: None


SABOTEUR = Saboteur(
    name="receipt-unchecked",
    title="authorities' clients do not look whether the log has a package",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="proofs that nobody asks for (Dahlberg et al., 2021)",
    caught_by=frozenset({("attacks", "disclosure-unlogged"), ("attacks", "two-packages-one-entry")}),
    in_clients=_in_clients,
)
