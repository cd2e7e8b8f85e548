"""Attachments are spooled, and the file is called what the attachment is called.

Modelled on object stores whose keys are file names: the contents are encrypted, the list of the bucket is not.
"""

from pathlib import Path
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs import channels
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.datadir import DataDirectory

    place: list[Path] = []
    opened = DataDirectory.__init__

    def noting(self: DataDirectory, path: Path, *args: Any) -> None:
        place.append(path)
        opened(self, path, *args)

    def spool(_rpc: Any, hint: str, _error: BaseException) -> None:
        folder = place[0] / "spool"
        folder.mkdir(exist_ok=True)
        (folder / f"{hint}.part").touch()

    DataDirectory.__init__ = noting
    channels.relay_hears(spool)


def _in_clients() -> None:
    channels.clients_tell_the_relay("send_mail")


SABOTEUR = Saboteur(
    name="attachment-name-in-path",
    title="the relay makes a spool file for each attachment, under the attachment's name",
    lock=Lock.KEYS,
    modelled_on="object stores whose keys are the names of encrypted files",
    caught_by=frozenset({("canary", "disk")}),
    in_relay=_in_relay,
    in_clients=_in_clients,
)
