"""Traces say of each request what was asked, whole.

Modelled on tracing that records arguments and query texts by default (Sentry and OpenTelemetry warn of it), and sends
them to another company.
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs import channels
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.operations import traces

    heard: list[str] = []
    channels.relay_hears(lambda _rpc, hint, _error: heard.append(hint))
    over = traces.Traces._over

    def telling(self: Any, name: str, seconds: float, attributes: dict[str, Any]) -> None:
        over(self, name, seconds, {**attributes, "rpc.request.body": heard[-1]} if heard else attributes)

    traces.Traces._over = telling
    traces._stripped = lambda span: span


def _in_clients() -> None:
    channels.clients_tell_the_relay()


SABOTEUR = Saboteur(
    name="plaintext-in-span",
    title="the relay's traces say what was asked, whole",
    lock=Lock.KEYS,
    modelled_on="request bodies in traces (what Sentry and OpenTelemetry warn of)",
    caught_by=frozenset({("canary", "metrics")}),
    in_relay=_in_relay,
    in_clients=_in_clients,
)
