"""An error message quotes what was sent, and the log has the error message.

A validation library prints the value that it does not like, and somebody logs `str(error)`. Modelled on the class of bug
that put tokens and messages into Sentry and crash reporters (CWE-209, CWE-532).
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs import channels
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    import structlog

    channels.relay_hears(lambda _rpc, _hint, error: structlog.get_logger().error("bad request", exc_info=error))


def _in_clients() -> None:
    channels.clients_tell_the_relay()


SABOTEUR = Saboteur(
    name="plaintext-in-exception",
    title="the relay logs the text of validation errors, which quote what clients sent",
    lock=Lock.KEYS,
    modelled_on="CWE-209 and CWE-532: error texts in logs and crash reporters",
    caught_by=frozenset({("canary", "log")}),
    in_relay=_in_relay,
    in_clients=_in_clients,
)
