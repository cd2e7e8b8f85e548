"""The relay keeps a file of who has looked whom up, beside its database, "to find abuse".

Modelled on the shadow profiles that came out when Facebook's archive tool gave people contact data that others had
uploaded about them (2013).
"""

from pathlib import Path
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.datadir import DataDirectory
    from blindrelay.relay.directory import Directory

    place: list[Path] = []
    opened, look_up = DataDirectory.__init__, Directory.look_up_user

    def noting(self: DataDirectory, path: Path, *args: Any) -> None:
        place.append(path)
        opened(self, path, *args)

    async def profiling(self: Directory, identity: Any, request: Any) -> Any:
        with (place[0] / "profiles.txt").open("a") as file:
            file.write(f"{identity} {request.user}\n")
        return await look_up(self, identity, request)

    DataDirectory.__init__, Directory.look_up_user = noting, profiling


SABOTEUR = Saboteur(
    name="shadow-profiles",
    title="the relay keeps a file of who asks about whom",
    lock=Lock.FORM,
    modelled_on="shadow profiles (Facebook, June 2013)",
    caught_by=frozenset({("inventory", "file")}),
    in_relay=_in_relay,
)
