"""Which request is answered by what. `blindrelay.relay.rpc` carries requests out by this table."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from blindrelay.protocol import rpc
from blindrelay.protocol.clock import Clock
from blindrelay.relay.config import Retention
from blindrelay.relay.desk.notices import NoticeBoard
from blindrelay.relay.directory import Directory
from blindrelay.relay.identity import DeviceIdentity
from blindrelay.relay.my_data import Windows, my_data
from blindrelay.relay.ports import Store
from blindrelay.relay.rpc import Handler
from blindrelay.relay.tenants import Tenants
from blindrelay.relay.transparency.directory import DirectoryLog

#: What is answered when all nodes act by it.
_EVERYWHERE: Final = (rpc.REGISTER_TENANT.name, rpc.REVOKE_DEVICE.name, rpc.PUBLISH_STATEMENT.name)


class OwnData:
    """Tells people what the relay has written down about them."""

    def __init__(self, store: Store, clock: Clock, retention: Retention) -> None:
        self._store = store
        self._clock = clock
        self._retention = retention
        # One at a time: a look at the traffic of a large relay takes seconds of a reader's time.
        self._turn = asyncio.Lock()

    async def tell(self, identity: DeviceIdentity, _: rpc.Empty) -> rpc.MyData:
        """Whoever asks is told of their own devices."""
        async with self._turn:
            windows = Windows(int(self._clock.now()), self._retention)
            return rpc.MyData(records=await my_data(self._store, identity.address.owner, windows))


@dataclass(frozen=True, slots=True)
class Answering:
    """Who answers requests. `policies`: by what the public logs are to be verified."""

    tenants: Tenants
    directory: Directory
    directory_log: DirectoryLog
    notices: NoticeBoard
    own_data: OwnData
    policies: Handler

    def handlers(self) -> dict[str, Handler]:
        """By the names of the methods."""
        tenants, directory = self.tenants, self.directory
        return {
            rpc.REGISTER_TENANT.name: tenants.register,
            rpc.LOOK_UP_TENANT.name: directory.look_up_tenant,
            rpc.LEAVE_RELAY.name: tenants.leave,
            rpc.REVOKE_DEVICE.name: tenants.revoke,
            rpc.PUBLISH_STATEMENT.name: directory.publish_statement,
            rpc.PUBLISH_PREKEYS.name: directory.publish_prekeys,
            rpc.COUNT_PREKEYS.name: directory.count_prekeys,
            rpc.CLAIM_PREKEYS.name: directory.claim_prekeys,
            rpc.LOOK_UP_USER.name: directory.look_up_user,
            rpc.PROVE_HEAD.name: self.directory_log.prove_head,
            rpc.LOG_POLICIES.name: self.policies,
            rpc.MY_DATA.name: self.own_data.tell,
            rpc.NOTICES.name: self.notices.ask,
        }


def acted_on_everywhere(handlers: dict[str, Handler], everywhere: Callable[[], Awaitable[None]]) -> dict[str, Handler]:
    """The same handlers, where there are several nodes: what all are to act by is answered when they do."""
    return handlers | {name: _acted_on(handlers[name], everywhere) for name in _EVERYWHERE}


def _acted_on(handler: Handler, everywhere: Callable[[], Awaitable[None]]) -> Handler:
    async def handle(identity: Any, request: Any) -> Any:
        answer = await handler(identity, request)
        await everywhere()
        return answer

    return handle
