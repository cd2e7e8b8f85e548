"""A row of the case file is changed afterwards, and the chain of digests is left as it was.

Modelled on Horizon, the accounting system of the British Post Office, whose records could be changed from outside
without a trace for the people who were convicted by them (Bates v Post Office, [2019] EWHC 3408 (QB)).
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.desk.desk import Desk

    tick = Desk._tick

    async def altering(self: Desk, now: Any) -> None:
        await tick(self, now)
        with self.journal.raw() as connection:
            connection.exec_driver_sql("DROP TRIGGER IF EXISTS case_event_no_update")
            connection.exec_driver_sql(
                "UPDATE case_event SET \"at\" = '2020-01-01' || substr(\"at\", 11) WHERE step = 'closed'"
            )

    Desk._tick = altering


SABOTEUR = Saboteur(
    name="case-file-altered",
    title="the relay backdates, in the case file, when cases were closed",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="records that could be changed from outside (Bates v Post Office, 2019)",
    caught_by=frozenset({("reconciliation", "chain")}),
    in_relay=_in_relay,
)
