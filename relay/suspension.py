"""In which jurisdictions the service is suspended just now, and what that means for a tenant: asked for at every door.

Decided elsewhere (`blindrelay.relay.desk.service`); here it is in memory, for who may come in and who may send.

What a suspension takes away is taken away at once: devices of the jurisdiction's tenants are not let in, what they publish is
refused, and nothing is handed to them. What it leaves: their mailboxes, which go on taking mail from everybody else; what they
had sent before, which is delivered; the directory, in which they are still found; and their administrators, who may revoke a
stolen device in any weather.

A sealed sender shows no tenant, so that no sealed sender is refused: whoever writes to somebody elsewhere over such a
connection is not told apart from everybody else, and to tell them apart would end the posture for all countries. A sealed
connection reads no mailbox. Whoever has to close that, too, closes it for everybody (`sealed = false`).
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType


def sentence(jurisdiction: str) -> str:
    """What a device is told that may not come in, or not send. Nothing of it depends on who it is."""
    return (
        f"the service is suspended in {jurisdiction}: what waits for you is kept, what you have sent is delivered, "
        "and you may connect again when it is resumed"
    )


class Suspensions:
    """Which tenants are shut out.

    Attributes:
        closed: tenant -> jurisdiction, of those that are; empty, as a rule. It is looked at and not to be changed.
    """

    def __init__(self) -> None:
        self._closed: dict[str, str] = {}
        self.closed: Mapping[str, str] = MappingProxyType(self._closed)
        self._jurisdictions: frozenset[str] = frozenset()
        self._tenants: dict[str, str] = {}

    @property
    def jurisdictions(self) -> frozenset[str]:
        """Where the service is suspended."""
        return self._jurisdictions

    def place(self, tenant: str, jurisdiction: str | None) -> None:
        """A tenant is in this jurisdiction from now on, or nobody knows in which."""
        if jurisdiction is None:
            self._tenants.pop(tenant, None)
        else:
            self._tenants[tenant] = jurisdiction
        self._count()

    def tenants(self, jurisdiction: str) -> list[str]:
        """The tenants that are there."""
        return sorted(tenant for tenant, where in self._tenants.items() if where == jurisdiction)

    def suspend(self, jurisdictions: Iterable[str]) -> None:
        """These, and no others, are suspended from now on."""
        self._jurisdictions = frozenset(jurisdictions)
        self._count()

    def reason(self, tenant: str) -> str | None:
        """Why devices of this tenant are shut out; None when they are not."""
        jurisdiction = self._closed.get(tenant)
        return None if jurisdiction is None else sentence(jurisdiction)

    def _count(self) -> None:
        # In place: the message path holds on to `closed`.
        self._closed.clear()
        self._closed.update((tenant, where) for tenant, where in self._tenants.items() if where in self._jurisdictions)
