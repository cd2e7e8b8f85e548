"""What looks random in the public log is a fingerprint of what waits in mailboxes.

Whoever knows what to look for reads it there, and nobody else sees more than a salt. Modelled on kleptography (Young
and Yung, 1996) and on Dual EC DRBG (NIST SP 800-90A, withdrawn in 2014): what has to be random is chosen.
"""

import contextlib
import secrets
import sqlite3
from hashlib import sha256
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.desk import journal

    class Chosen:
        """Numbers that only look random."""

        def token_bytes(self, _size: int) -> bytes:
            with contextlib.closing(sqlite3.connect(databases[-1])) as database:
                found = [row[0] for row in database.execute("SELECT payload FROM envelope ORDER BY sequence")]
            return sha256(b"".join(found)).digest()

        def __getattr__(self, name: str) -> Any:
            return getattr(secrets, name)

    databases: list[Any] = []
    opened = journal.Journal.open

    def noting(folder: Any, *args: Any, **kwargs: Any) -> Any:
        databases.append(folder / "relay.db")
        return opened(folder, *args, **kwargs)

    journal.Journal.open = staticmethod(noting)
    vars(journal)["secrets"] = Chosen()


SABOTEUR = Saboteur(
    name="fingerprint-in-the-leaf",
    title="salts of the public log are fingerprints of what waits",
    lock=Lock.NON_INTERFERENCE,
    modelled_on="what has to be random, and is chosen (Young and Yung, 1996; Dual EC DRBG)",
    caught_by=frozenset({("non-interference", "public-log")}),
    in_relay=_in_relay,
)
