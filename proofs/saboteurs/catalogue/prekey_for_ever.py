"""Devices do not forget a one-time key that was used: the second letter under it opens as well as the first.

Modelled on one-time prekeys that are used more than once, of which X3DH warns (Marlinspike and Perrin: The X3DH Key
Agreement Protocol, 2016, on server trust).
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients.ratchet import Ratchet

    accept = Ratchet._accept_session

    def keeping(self: Ratchet, *about: Any) -> bytes:
        pickle = self._account.pickle(self._pickle_key)
        plaintext = accept(self, *about)
        self._account = type(self._account).from_pickle(pickle, self._pickle_key)
        self._keep_account()
        return plaintext

    Ratchet._accept_session = keeping


SABOTEUR = Saboteur(
    name="prekey-for-ever",
    title="devices keep one-time keys that were used",
    lock=Lock.KEYS,
    modelled_on="one-time prekeys that are used twice (X3DH, 2016, on server trust)",
    caught_by=frozenset({("attacks", "prekey-repeated")}),
    in_clients=_in_clients,
)
