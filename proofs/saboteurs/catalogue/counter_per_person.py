"""The relay counts for each person, "for a dashboard".

Modelled on God View, with which Uber's staff could follow single customers (2014), and on the settlement about it
with the Attorney General of New York (2016).
"""

from collections import Counter
from pathlib import Path
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.datadir import DataDirectory
    from blindrelay.relay.directory import Directory

    place: list[Path] = []
    counts: Counter[str] = Counter()
    opened, look_up = DataDirectory.__init__, Directory.look_up_user

    def noting(self: DataDirectory, path: Path, *args: Any) -> None:
        place.append(path)
        opened(self, path, *args)

    async def counting(self: Directory, identity: Any, request: Any) -> Any:
        counts[str(request.user)] += 1
        lines = [f'looked_up_total{{user="{user}"}} {count}\n' for user, count in counts.items()]
        (place[0] / "relay.prom").write_text("".join(lines))
        return await look_up(self, identity, request)

    DataDirectory.__init__, Directory.look_up_user = noting, counting


SABOTEUR = Saboteur(
    name="counter-per-person",
    title="the relay counts look-ups by person, for a metrics collector",
    lock=Lock.FORM,
    modelled_on="dashboards of single persons (Uber, God View, 2014)",
    caught_by=frozenset({("inventory", "metric")}),
    in_relay=_in_relay,
)
