"""The relay copies its database every second, and never deletes a copy.

Modelled on deleted mail that was recovered from backup tapes, from Iran-Contra (1986) on.
"""

import shutil
import threading
import time
from pathlib import Path
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.datadir import DataDirectory

    opened = DataDirectory.__init__

    def copy(path: Path) -> None:
        number = 0
        while True:
            time.sleep(1)
            for file in (path / "relay.db", path / "relay.db-wal"):
                if file.exists():
                    shutil.copyfile(file, path / f"backup-{number:03}-{file.name}")
            number += 1

    def with_backups(self: DataDirectory, path: Path, *args: Any) -> None:
        opened(self, path, *args)
        threading.Thread(target=copy, args=(path,), daemon=True).start()

    DataDirectory.__init__ = with_backups


SABOTEUR = Saboteur(
    name="backup-keeps-deleted",
    title="the relay keeps a copy of its database from while envelopes waited",
    lock=Lock.FORM,
    modelled_on="deleted mail on backup tapes (Iran-Contra, 1986)",
    caught_by=frozenset({("retention", "kept-in-backup")}),
    in_relay=_in_relay,
)
