"""What is deleted from the database is marked as free, and stays in its page until something else needs the place.

Modelled on what SQLite does unless it is told otherwise (`PRAGMA secure_delete`), and on deleted messages that were
carved out of free pages of messengers' databases (Anglano: Forensic Analysis of WhatsApp Messenger on Android
Smartphones, 2014).
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.store import sqlite

    pragmas = tuple(pragma for pragma in sqlite._WRITER if not pragma.startswith("secure_delete"))
    vars(sqlite)["_WRITER"] = (*pragmas, "secure_delete = OFF")


SABOTEUR = Saboteur(
    name="deleted-not-overwritten",
    title="the relay's database does not overwrite what it deletes",
    lock=Lock.FORM,
    modelled_on="deleted messages in free pages of SQLite (Anglano, on WhatsApp, 2014)",
    caught_by=frozenset({("retention", "kept")}),
    in_relay=_in_relay,
)
