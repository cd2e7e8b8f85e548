"""TLS sessions are resumed, for speed, on anonymous connections as well: the ticket says which ones are the same person's.

Modelled on the tracking of users by TLS session resumption (Sy et al.: Tracking Users across the Web via TLS Session
Resumption, 2018).
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur
from blindrelay.proofs.saboteurs.patching import replace


def _in_relay() -> None:
    import ssl

    from blindrelay.relay import tls

    make = tls.server_context

    def generous(*args: Any) -> ssl.SSLContext:
        context = make(*args)
        context.options &= ~ssl.OP_NO_TICKET
        context.num_tickets = 2
        return context

    replace(make, generous)


def _in_clients() -> None:
    from blindrelay.clients import sealed
    from blindrelay.clients.link import Link

    contexts: dict[Any, Any] = {}
    last: dict[Any, Any] = {}
    make, to = sealed.anonymous_context, sealed.SealedRoutes.to
    current: list[Any] = [None]

    def one_for_all(self: Any, user: Any) -> Any:
        current[0] = self
        return to(self, user)

    def kept(ca: bytes) -> Any:
        if current[0] not in contexts:
            contexts[current[0]] = make(ca)
        return contexts[current[0]]

    def resuming(self: Link, sock: Any) -> Any:
        earlier = last.get(self._context)
        session = earlier.session if earlier is not None else None
        secured = self._context.wrap_socket(
            sock, server_hostname=self._hostname, do_handshake_on_connect=False, session=session
        )
        secured.settimeout(self.timeout)
        secured.do_handshake()
        last[self._context] = secured
        return secured

    sealed.anonymous_context, sealed.SealedRoutes.to = kept, one_for_all
    Link._secure = resuming


SABOTEUR = Saboteur(
    name="shared-tickets",
    title="anonymous connections resume TLS sessions of the same person",
    lock=Lock.KEYS,
    modelled_on="tracking by TLS session resumption (Sy et al., 2018)",
    caught_by=frozenset({("wire", "linkable")}),
    in_relay=_in_relay,
    in_clients=_in_clients,
)
