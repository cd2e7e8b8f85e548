"""Clients do not ask who has certified a device: whatever the relay lists with a certificate and a statement, forged or
not, is one.

Modelled on the second half of the ghost proposal, a device with a forged statement (Levy and Robinson: Principles for
a More Informed Exceptional Access Debate, 2018), and on the programs that verify no chain (Georgiev et al.: The Most
Dangerous Code in the World, 2012).
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.protocol import certificates

    certificates.verify = lambda certificate, *_: certificates.subject_of(certificate)


SABOTEUR = Saboteur(
    name="ghost-with-a-forged-statement",
    title="clients take devices with forged certificates and statements",
    lock=Lock.KEYS,
    modelled_on="the ghost proposal (2018); The Most Dangerous Code in the World (Georgiev et al., 2012)",
    caught_by=frozenset({("wire", "ghost-accepted")}),
    in_clients=_in_clients,
)
