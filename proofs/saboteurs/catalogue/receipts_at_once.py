"""Receipts leave at once in the posture `sealed`, so that who hears something whenever bob got a letter has written it.

Modelled on the attack on Signal's sealed sender by its own delivery receipts (Martiny et al.: Improving Signal's Sealed Sender,
2021).
"""

import asyncio
import math
from functools import partial
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients.courier import Courier

    def at_once(self: Courier, key: Any) -> None:
        settle = partial(self._settle, [key], before=math.inf)
        self._timers[key] = asyncio.get_running_loop().call_later(0.1, settle)

    Courier._wait = at_once


SABOTEUR = Saboteur(
    name="receipts-at-once",
    title="clients acknowledge anonymous letters at once: what follows a letter is for who wrote it",
    lock=Lock.FORM,
    modelled_on="delivery receipts against sealed sender (Martiny et al., 2021)",
    caught_by=frozenset({("traffic", "sender_linked"), ("traffic", "timing_leaks")}),
    in_clients=_in_clients,
)
