"""The connections in a package go back an hour further than was asked for; its messages do not.

Modelled on records of the wrong time: more than a quarter of the errors with communications data in the UK in 2014 (the
Interception of Communications Commissioner's report of March 2015).
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.evidence.scope import Stage
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from dataclasses import replace

    from blindrelay.policies.vocabulary import DataClass
    from blindrelay.relay.desk import selection
    from blindrelay.relay.ledger import HOUR, Window

    connections = selection._QUERIES[DataClass.ACCESS]

    def earlier(chosen: Any, reader: Any) -> Any:
        window = Window(chosen.window.since - HOUR, chosen.window.until)
        return connections(replace(chosen, window=window), reader)

    vars(selection)["_QUERIES"] = {**selection._QUERIES, DataClass.ACCESS: earlier}


SABOTEUR = Saboteur(
    name="earlier-connections",
    title="packages hold connections from the hour before their orders",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="records of the wrong time (UK Interception of Communications Commissioner, March 2015)",
    caught_by=frozenset({("reconciliation", "too-wide")}),
    shows_in=(Stage.TALK, Stage.WAIT, Stage.ASK, Stage.AGE),
    in_relay=_in_relay,
)
