"""How what is written gets to the relay at all: "diagnostics", beside the envelopes.

The relay holds no plaintext that it could leak. A saboteur of the relay's own handling (a log line, a crash dump, a metric)
therefore needs clients that tell it; this is the one way that several of them share.
"""

import contextlib
from typing import Any


def clients_tell_the_relay(attribute: str = "send") -> None:
    """Let clients send a copy of each text (`send`), or of each attachment's name (`send_mail`), or of each group's name
    (`create_group`), in a field that a request does not have. The relay refuses it, and has seen it."""
    from blindrelay.clients.device import Device
    from blindrelay.clients.errors import ClientError
    from blindrelay.protocol.rpc import COUNT_PREKEYS, Method, PrekeyCount
    from blindrelay.protocol.statements import Wire

    class Hint(Wire):
        hint: str

    method = Method(COUNT_PREKEYS.name, Hint, PrekeyCount)
    original = getattr(Device, attribute)

    async def tell(device: Device, text: str) -> None:
        with contextlib.suppress(ClientError):
            await device._connected().call(method, Hint(hint=text))

    async def telling(self: Device, to: Any, *args: Any, **kwargs: Any) -> Any:
        enclosed = kwargs.get("attachments", ())
        for text in [each.name for each in enclosed] if attribute == "send_mail" else [args[0]]:
            await tell(self, text)
        return await original(self, to, *args, **kwargs)

    def naming(self: Device, name: str, members: Any) -> Any:
        self._running._tasks.append(_soon(tell(self, name)))
        return original(self, name, members)

    setattr(Device, attribute, naming if attribute == "create_group" else telling)


def _soon(work: Any) -> Any:
    import asyncio

    return asyncio.get_running_loop().create_task(work)


def relay_hears(hear: Any) -> None:
    """Call `hear(relay's rpc, hint, error)` in the relay for each text that arrives in this way."""
    import json

    from pydantic import ValidationError

    from blindrelay.relay.rpc import Rpc

    carry_out = Rpc._carry_out

    async def hearing(self: Rpc, identity: Any, method: str, payload: bytes) -> Any:
        try:
            return await carry_out(self, identity, method, payload)
        except ValidationError as error:
            if "hint" in (document := json.loads(payload)):
                hear(self, document["hint"], error)
            raise

    Rpc._carry_out = hearing  # type: ignore[method-assign]
