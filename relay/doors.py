"""What a relay opens beside the door for clients: the lawful desk, the public logs, and what the operator looks at."""

from collections import Counter
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from blindrelay.policies import leaves as lawful_access
from blindrelay.protocol import rpc
from blindrelay.protocol.transparency import directory as directory_entries
from blindrelay.relay.desk.preservation import Preservations
from blindrelay.relay.errors import BadConfiguration
from blindrelay.relay.identity import Identity
from blindrelay.relay.ledger import Ledger
from blindrelay.relay.operations.assembly import open_operations
from blindrelay.relay.operations.view import View
from blindrelay.relay.transparency.assembly import open_to_all

if TYPE_CHECKING:
    from starlette.routing import Route

    from blindrelay.relay.cluster.connections import SharedConnections
    from blindrelay.relay.desk.desk import Desk
    from blindrelay.relay.operations.traces import Traces
    from blindrelay.relay.server import Relay


class Doors:
    """The desk, and the ports of the public logs and of the operations endpoint, of one relay.

    Attributes:
        desk, desk_port: the lawful desk, and where authorities meet it; None without one.
        logs_port: where everybody reads the logs.
        operations_port: where the operator sees how the relay does; None without an endpoint.
    """

    logs_port: int
    operations_port: int | None

    def __init__(self, relay: "Relay", stack: AsyncExitStack) -> None:
        self._relay = relay
        self._stack = stack
        self.desk: Desk | None = None
        self.desk_port: int | None = None

    async def open_desk(self, ledger: Ledger) -> None:
        """Before anybody may write: preservations and real-time orders that run are in force from the first message on."""
        relay, stack = self._relay, self._stack
        if relay.desk_identity is None:
            return
        if relay.node is not None:
            await relay.node.take_desk()
        # A relay without a desk has no use for the web server and the policy engine: they take half a second to load.
        from blindrelay.relay.desk.assembly import Surroundings, open_desk, open_streams  # noqa: PLC0415

        streams = await stack.enter_async_context(
            open_streams(
                relay.store.metadata_reader,
                relay.exchange,
                ledger,
                relay.clock,
                relay.settings.retention,
                connections=self._connections(),
            )
        )
        around = Surroundings(
            folder=relay.directory.path,
            keys=relay.directory.identity,
            metadata=relay.store.metadata_reader,
            certificate=relay.directory.certificate,
            key=relay.directory.key,
            identity=relay.desk_identity,
            preservation=Preservations(relay.committer, relay.clock),
            streams=streams,
            services=relay.services,
            notices=relay.notices,
            tenants=relay.tenants,
        )
        self.desk, self.desk_port = await stack.enter_async_context(open_desk(around, relay.settings, relay.clock))

    def _connections(self) -> "SharedConnections | None":
        if self._relay.node is None:
            return None
        from blindrelay.relay.cluster.connections import SharedConnections  # noqa: PLC0415 - as the other nodes' driver

        return SharedConnections(self._relay.committer)

    async def open_traces(self) -> "Traces | None":
        """What the operator has asked to be told of every commit and request. Raises `BadConfiguration`."""
        operations = self._relay.settings.operations
        if operations.traces is None:
            return None
        # Optional packages: a relay without traces has none of them loaded.
        try:
            from blindrelay.relay.operations.traces import open_traces  # noqa: PLC0415
        except ImportError as error:
            raise BadConfiguration("operations.traces needs packages that are not here: blindrelay[traces]") from error

        return await self._stack.enter_async_context(open_traces(operations, self._relay.clock))

    async def open_to_lookers(self, requests: Counter[tuple[str, str]]) -> None:
        """The operations endpoint and the public logs. `requests`: how many there have been, counted as they come."""
        relay, stack = self._relay, self._stack
        logs, others = {directory_entries.NAME: relay.directory_log.log}, list["Route"]()
        if self.desk is not None:
            logs[lawful_access.NAME] = self.desk.disclosures.log
            others.append(self._public_report(self.desk))
        view = View(
            exchange=relay.exchange,
            accounts=relay.accounts,
            retention=relay.retention,
            logs=logs,
            requests=requests,
            files=relay.store.files,
            folder=relay.directory.path,
            clock=relay.clock,
            began_at=relay.clock.now(),
            fault=relay.fault,
            ask_store=relay.ask_store,
        )
        self.operations_port = await stack.enter_async_context(open_operations(view, relay.settings))
        self.logs_port = await stack.enter_async_context(open_to_all(logs, others, relay.directory, relay.settings))

    def _public_report(self, desk: "Desk") -> "Route":
        from blindrelay.relay.desk.public import PublicReport  # noqa: PLC0415 - as the desk

        identity = self._relay.desk_identity
        return PublicReport(desk.journal, "" if identity is None else identity.id, self._relay.clock).route()

    async def log_policies(self, _: Identity, __: rpc.Empty) -> rpc.LogPolicies:
        """By what the public logs are to be verified."""
        lawful = None if self.desk is None else str(self.desk.disclosures.log.settings.trust)
        return rpc.LogPolicies(directory=str(self._relay.directory_log.log.settings.trust), lawful_access=lawful)
