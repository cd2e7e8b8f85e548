"""The auditor reads a log's entries and does not compare them with the tree that was signed.

Modelled on monitors that check signatures and roots, and take the entries as they come.
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients.auditor.tree import VerifiedTree

    def taken(_self: VerifiedTree, _index: int, _hash: bytes, entries: Any) -> bytes:
        return next(iter(entries), b"")

    VerifiedTree._checked_entry = taken


SABOTEUR = Saboteur(
    name="auditor-does-not-look",
    title="an auditor takes entries that are not those that were signed",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="monitors that verify everything but the entries",
    caught_by=frozenset({("attacks", "log-entry-edited")}),
    in_clients=_in_clients,
)
