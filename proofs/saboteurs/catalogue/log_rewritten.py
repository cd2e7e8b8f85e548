"""The relay is started again with another log: where a package was, there is a decoy, and everything is signed anew.

Modelled on DigiNotar, where an intruder had purged the logs of what had been issued (2011; Fox-IT: Black Tulip, 2012). It is
what witnesses, and readers with a memory, are for.
"""

import secrets
import shutil
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.evidence.scope import Stage
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.policies.leaves import NAME, Commitment
    from blindrelay.relay.desk.disclosures import Disclosures
    from blindrelay.relay.transparency.assembly import FOLDER

    begin = Disclosures.open

    async def rewriting(self: Disclosures, load: Any) -> None:
        with self._journal.raw() as connection:
            connection.exec_driver_sql("DROP TRIGGER IF EXISTS log_entry_no_update")
            decoy = Commitment(commitment=secrets.token_hex(32)).encode()
            rewritten = connection.exec_driver_sql(
                "UPDATE log_entry SET body = ? WHERE number = (SELECT min(number) FROM log_opening JOIN case_event "
                "USING (case_id, sequence) WHERE step = 'packaged')",
                (decoy,),
            )
        if rewritten.rowcount:
            shutil.rmtree(self._folder / FOLDER / NAME)
        await begin(self, load)

    Disclosures.open = rewriting


SABOTEUR = Saboteur(
    name="log-rewritten",
    title="after a restart the public log has another history, without the package that it had",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="purged logs (DigiNotar, 2011)",
    caught_by=frozenset({("leaves", "log")}),
    shows_in=(Stage.WAIT, Stage.ASK, Stage.AGE, Stage.LEAVE),
    in_relay=_in_relay,
)
