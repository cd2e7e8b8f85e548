"""A counter has a label that is too detailed: which request failed, and with what.

Metrics go to another system, with another access list and a retention of years. Modelled on what Prometheus warns of
in its own documentation: labels with user ids, e-mail addresses or other unbounded values.
"""

from collections import Counter
from pathlib import Path
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs import channels
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.datadir import DataDirectory

    counts: Counter[str] = Counter()
    place: list[Path] = []
    opened = DataDirectory.__init__

    def noting(self: DataDirectory, path: Path, *args: Any) -> None:
        place.append(path)
        opened(self, path, *args)

    def count(_rpc: Any, hint: str, _error: BaseException) -> None:
        counts[hint] += 1
        lines = [f'blindrelay_failed_requests{{detail="{detail}"}} {number}\n' for detail, number in counts.items()]
        (place[0] / "metrics.prom").write_text("".join(lines))

    DataDirectory.__init__ = noting
    channels.relay_hears(count)


def _in_clients() -> None:
    channels.clients_tell_the_relay()


SABOTEUR = Saboteur(
    name="metric-label",
    title="the relay counts failed requests by their text, in a file for a metrics collector",
    lock=Lock.KEYS,
    modelled_on="what Prometheus warns of: labels that name people",
    caught_by=frozenset({("canary", "disk")}),
    in_relay=_in_relay,
    in_clients=_in_clients,
)
