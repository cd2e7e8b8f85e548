"""The relay enters a second device for a user into the directory's log, and shows it to nobody yet.

A ghost that is to be shown later with a proof that is right. Modelled on the ghost proposal (Levy and Robinson: Principles
for a More Informed Exceptional Access Debate, 2018) under key transparency: it has to be logged, and so it can be seen.
"""

from hashlib import sha256
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.protocol.transparency import directory as entries
    from blindrelay.relay import directory
    from blindrelay.relay.store import tables
    from blindrelay.relay.transparency.directory import _root
    from blindrelay.relay.transparency.entries import append

    enter = directory.enter_statement

    def with_ghost(connection: Any, account_id: int, certificate: bytes, statement: Any, signed: Any) -> None:
        enter(connection, account_id, certificate, statement, signed)
        if statement.device.user == "alice":
            root = _root(connection, statement.device.tenant)
            device = entries.device_stated(root, certificate, statement, signed)
            ghost = device.model_copy(update={"certificate": sha256(b"the certificate of a ghost").hexdigest()})
            append(connection, tables.directory_entry, ghost.encode())

    directory.enter_statement = with_ghost


SABOTEUR = Saboteur(
    name="ghost-in-the-log",
    title="the directory's log has a device that nobody has enrolled",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="the ghost proposal (Levy and Robinson, 2018) under key transparency",
    caught_by=frozenset({("leaves", "directory")}),
    in_relay=_in_relay,
)
