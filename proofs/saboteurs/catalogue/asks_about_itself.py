"""Before an anonymous letter its client asks, over another anonymous connection, about its own user's devices.

Modelled on our own clients, which did so until it was measured: two tokens are shown in the same second, the recipient's and
the sender's own. Sealed sender is worth what is around it (Martiny et al.: Improving Signal's Sealed Sender, 2021).
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients.directory import Directory
    from blindrelay.clients.running import Running

    caller_of = Running._caller_of

    def anonymous(self: Running, user: Any, anonymous: bool) -> Any:
        return caller_of(self, user, anonymous or user == self.identity.address.owner)

    async def asking(self: Directory, own: Any, caller: Any) -> Any:
        self.forget(own.owner)
        return await self.prepare(own.owner, caller, but=own)

    Running._caller_of = anonymous
    Directory.prepare_own = asking


SABOTEUR = Saboteur(
    name="asks-about-itself",
    title="clients ask about their own devices over an anonymous connection whenever they write anonymously",
    lock=Lock.FORM,
    modelled_on="our own clients, before it was measured; what undoes sealed sender (Martiny et al., 2021)",
    caught_by=frozenset({("traffic", "sender_signed")}),
    in_clients=_in_clients,
)
