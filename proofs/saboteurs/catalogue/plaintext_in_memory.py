"""The relay keeps what clients tell it in memory, and writes it nowhere.

"Nothing is stored." Modelled on Heartbleed (CVE-2014-0160): whatever a server's memory holds can be read out of it,
and on the RAM scrapers that took card numbers from Target's tills (2013).
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs import channels
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    kept: list[str] = []
    channels.relay_hears(lambda _rpc, hint, _error: kept.append(hint))


def _in_clients() -> None:
    channels.clients_tell_the_relay()


SABOTEUR = Saboteur(
    name="plaintext-in-memory",
    title="the relay holds what was written in its memory alone",
    lock=Lock.KEYS,
    modelled_on="Heartbleed (2014); RAM scrapers (Target, 2013)",
    caught_by=frozenset({("canary", "memory")}),
    in_relay=_in_relay,
    in_clients=_in_clients,
)
