"""An enterprise's certificate authority is made to enrol one more device, and to leave it out of its books.

Everything verifies. Modelled on DigiNotar (2011), on the compelled certificates of Soghoian and Stamm (2010), and on
the second half of the ghost proposal.
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients.enterprise.ca import Authority
    from blindrelay.clients.enterprise.enterprise import Enterprise

    enrol, devices = Enterprise.enrol, Authority.devices

    async def twice(self: Enterprise, user: str, device: str, **more: Any) -> Any:
        found = await enrol(self, user, device, **more)
        if user == "bob":
            await enrol(self, user, "listener", **more)
        return found

    Enterprise.enrol = twice
    Authority.devices = lambda self: [address for address in devices(self) if address.device != "listener"]


SABOTEUR = Saboteur(
    name="ghost-with-a-certificate",
    title="an enterprise's authority enrols one more device that is not in its books",
    lock=Lock.KEYS,
    modelled_on="compelled certificates (Soghoian and Stamm, 2010; DigiNotar, 2011)",
    caught_by=frozenset({("wire", "ghost")}),
    in_clients=_in_clients,
)
