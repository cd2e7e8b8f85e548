"""The relay starts a helper, a process of its own, to deal with what arrives.

What it does there no look at the relay shows. Modelled on converters and previewers behind servers, and what came in
through them (ImageTragick, CVE-2016-3714).
"""

import asyncio
import sys
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.directory import Directory

    look_up = Directory.look_up_user

    async def helped(self: Directory, identity: Any, request: Any) -> Any:
        helper = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", "")
        await helper.wait()
        return await look_up(self, identity, request)

    Directory.look_up_user = helped


SABOTEUR = Saboteur(
    name="helper-process",
    title="the relay starts another program",
    lock=Lock.KEYS,
    modelled_on="helpers behind servers (ImageTragick, 2016)",
    caught_by=frozenset({("isolation", "subprocess")}),
    in_relay=_in_relay,
)
