"""Afterwards the case file says that it was refused, and its chain of digests has been made anew.

Modelled on log entries that were rewritten after an audit had been announced: a chain without anybody outside who has seen its
end proves nothing (Crosby and Wallach: Efficient Data Structures for Tamper-Evident Logging, 2009).
"""

import json
from hashlib import sha256
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.desk.desk import Desk

    tick = Desk._tick

    async def rewriting(self: Desk, now: Any) -> None:
        await tick(self, now)
        with self.journal.raw() as connection:
            for event in ("update", "delete"):
                connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS case_event_no_{event}")
            connection.exec_driver_sql(
                "UPDATE case_event SET body = replace(body, '\"granted\"', '\"refused\"') WHERE step = 'decided'"
            )
            previous = "0" * 64
            rows = connection.exec_driver_sql(
                'SELECT id, case_id, sequence, authority_id, "at", step, body, once FROM case_event ORDER BY id'
            ).fetchall()
            for number, *values in rows:
                text = json.dumps([previous, *values], separators=(",", ":"))
                digest = sha256(text.encode()).hexdigest()
                connection.exec_driver_sql(
                    "UPDATE case_event SET previous = ?, digest = ? WHERE id = ?", (previous, digest, number)
                )
                previous = digest

    Desk._tick = rewriting


SABOTEUR = Saboteur(
    name="decision-edited",
    title="the relay rewrites decisions in the case file afterwards, digests and all",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="rewritten logs (Crosby and Wallach, 2009)",
    caught_by=frozenset({("reconciliation", "edited")}),
    in_relay=_in_relay,
)
