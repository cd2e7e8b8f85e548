"""A client waits, before it sends, for as long as it takes to look at what was written.

Modelled on keystroke and processing times that cross the network (Song, Wagner, Tian: Timing Analysis of Keystrokes and Timing
Attacks on SSH, 2001), and on client-side scanning.
"""

import asyncio
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients.device import Device

    send = Device.send

    async def scanning(self: Device, to: Any, text: str, **more: Any) -> Any:
        await asyncio.sleep(0.001 * len(set(text)))
        return await send(self, to, text, **more)

    Device.send = scanning


SABOTEUR = Saboteur(
    name="telling-delay",
    title="clients wait for as long as what was written is various",
    lock=Lock.NON_INTERFERENCE,
    modelled_on="timing that tells what is written (Song, Wagner, Tian, 2001)",
    caught_by=frozenset({("non-interference", "timing")}),
    in_clients=_in_clients,
)
