"""What the devices of a tenant send through all nodes together counts against its one limit.

Each node says now and then how much it has taken of each tenant that sends a lot, and charges its own buckets with what others
say. Who sends little is not told of: all nodes together are wrong by less than some hundredths of the limit, and a quiet
cluster writes nothing.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol

import structlog
from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from blindrelay.relay.errors import StoreError
from blindrelay.relay.ports import Store
from blindrelay.relay.store import tables

#: How often nodes tell each other. Seconds.
INTERVAL: Final = 0.5
# Below this part of its limit a tenant is not told of.
_UNREMARKABLE: Final = 0.01

_charge = tables.charge.c
_log = structlog.get_logger()


class Limits(Protocol):
    """What is asked of `blindrelay.relay.limits`."""

    def taken(self) -> Mapping[str, int]:
        """What each tenant has sent through this node."""

    def charge(self, tenant: str, count: int) -> None:
        """It has sent so much through other nodes."""


class Charges:
    """Shares them.

    Args:
        store: where nodes tell each other.
        limits: this node's.
        node: its number.
        rate: a tenant's limit, messages a second.
    """

    def __init__(self, store: Store, limits: Limits, node: int, rate: float) -> None:
        self._store = store
        self._limits = limits
        self._node = node
        self._remarkable = rate * INTERVAL * _UNREMARKABLE
        self._told: dict[str, int] = {}
        self._heard: dict[tuple[str, int], int] = {}
        self._asked: set[str] = set()

    async def share(self) -> None:
        """Tell, and hear. Raises what the store raises."""
        taken = self._limits.taken()
        news = {
            tenant: count for tenant, count in taken.items() if count - self._told.get(tenant, 0) >= self._remarkable
        }
        if news:
            await self._store.run(lambda connection: _tell(connection, self._node, news))
            self._told.update(news)
        if taken:
            tenants = list(taken)
            for tenant, node, count in await self._store.read(
                lambda connection: _hear(connection, self._node, tenants)
            ):
                # What was sent before this node asked for the first time is no matter of its buckets.
                before = self._heard.get((tenant, node), 0 if tenant in self._asked else count)
                self._heard[tenant, node] = count
                if count > before:
                    self._limits.charge(tenant, count - before)
            self._asked.update(tenants)

    async def share_on(self) -> None:
        """Do so until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL)
            try:
                await self.share()
            except StoreError:
                continue
            except Exception as error:  # noqa: BLE001 - whatever it is: it is tried again
                _log.error("charges could not be shared", exc_info=error)


def _tell(connection: Connection, node: int, counts: Mapping[str, int]) -> None:
    add = insert(tables.charge)
    rows = [{"tenant": tenant, "node": node, "count": counts[tenant]} for tenant in sorted(counts)]
    connection.execute(
        add.on_conflict_do_update(index_elements=["tenant", "node"], set_={"count": add.excluded.count}), rows
    )


def _hear(connection: Connection, node: int, tenants: Sequence[str]) -> Iterable[tuple[str, int, int]]:
    query = select(_charge.tenant, _charge.node, _charge.count).where(_charge.node != node, _charge.tenant.in_(tenants))
    return [(row[0], row[1], row[2]) for row in connection.execute(query)]
