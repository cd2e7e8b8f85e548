"""A node among others, put together with the rest of a relay: what `server.Relay` does when its settings name a cluster.

Loads the drivers that a relay of one node does without: import it when there are other nodes.
"""

from collections.abc import Awaitable, Callable

from blindrelay.relay.chores import PURGE_INTERVAL, SWEEP_INTERVAL
from blindrelay.relay.cluster.duties import LeaderDuties
from blindrelay.relay.cluster.node import Node
from blindrelay.relay.cluster.sessions import SharedSessions
from blindrelay.relay.exchange import Exchange
from blindrelay.relay.ports import Committer
from blindrelay.relay.retention import Purge
from blindrelay.relay.transparency.log import Log


async def start_among_others(exchange: Exchange, committer: Committer, node: Node) -> None:
    """Start an exchange whose sessions other nodes may go on with, and which tells them of mail."""
    sessions = node.sessions = SharedSessions(committer, exchange.now, node.number)
    await exchange.start(committer, sessions)
    exchange.neighbours = node


def duties(node: Node, exchange: Exchange, retention: Purge, log: Log) -> LeaderDuties:
    """What one node does for all."""
    chores: dict[Callable[[], Awaitable[object]], float] = {
        exchange.sweep: SWEEP_INTERVAL,
        retention.run: PURGE_INTERVAL,
        node.keep_house: PURGE_INTERVAL,
    }
    return LeaderDuties(log, chores)
