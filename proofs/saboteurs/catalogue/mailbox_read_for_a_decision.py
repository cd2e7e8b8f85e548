"""What waits, sealed, in somebody's mailbox has a say in what is decided about them.

Modelled on risk scores that are fed with whatever there is: SyRI, which the District Court of The Hague stopped
(ECLI:NL:RBDHA:2020:1878).
"""

import contextlib
import dataclasses
import sqlite3
from typing import Any
from zlib import crc32

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.desk.facts import FactFinder

    find = FactFinder.find

    def scored(self: FactFinder, question: Any, now: Any) -> Any:
        facts = find(self, question, now)
        with contextlib.closing(sqlite3.connect(self._open_metadata.__self__.path)) as database:
            payloads = [row[0] for row in database.execute("SELECT payload FROM envelope")]
        score = sum(crc32(payload) for payload in payloads) % 10
        return dataclasses.replace(facts, authority=dataclasses.replace(facts.authority, requests_last_day=score))

    FactFinder.find = scored


SABOTEUR = Saboteur(
    name="mailbox-read-for-a-decision",
    title="a decision depends on what waits in the mailbox of its target",
    lock=Lock.NON_INTERFERENCE,
    modelled_on="scores that are fed with whatever there is (SyRI, The Hague, 2020)",
    caught_by=frozenset({("non-interference", "decision")}),
    in_relay=_in_relay,
)
