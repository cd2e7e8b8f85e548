"""The process of the relay under test: `blindrelay.relay.server.Relay` as it is, or with one of its costs taken away.

Writes one line of JSON (`port`, `certificate`, registration `code`) once it listens, and runs until SIGTERM. It can do without:

- TLS (`--plain`): there is a second listener without it. Who connects is then told by the client id; that device's
  certificate is read from where it was issued and checked as ever, so that nothing else is saved.
- the store (`--memory`): envelopes are accepted at once and kept by nobody.
"""

import asyncio
import contextlib
import dataclasses
import json
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

import click
import psycopg
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from mqtt5 import ConnectPacket

from benchmarks.watching import watching
from blindrelay.protocol import rpc
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.clock import SystemClock
from blindrelay.relay import logs
from blindrelay.relay.config import Desk, Limits, Settings
from blindrelay.relay.exchange import Exchange
from blindrelay.relay.identity import Registrar
from blindrelay.relay.limits import Limits as LimitsInForce
from blindrelay.relay.mqtt.listener import Listener, listening_socket
from blindrelay.relay.ports import Admission, Admitted
from blindrelay.relay.process import harden
from blindrelay.relay.server import Relay
from blindrelay.relay.store.committer import Committer, Outcome
from blindrelay.relay.store.entries import Accepted
from blindrelay.relay.store.sqlite import SqliteStore

# Old records are spread over the time before the first new one, at the rate of a busy day. Seconds.
_HISTORY_SECONDS = 86_400


class InMemory:
    """In the committer's place: everything is settled in the next turn of the loop, and written nowhere."""

    def __init__(self, exchange: Exchange, committer: Committer) -> None:
        self._exchange = exchange
        self._committer = committer
        self._batch: list[Accepted] = []

    def accept(self, entry: Accepted) -> None:
        """Settle it in the next turn."""
        if not self._batch:
            asyncio.get_running_loop().call_soon(self._settle)
        self._batch.append(entry)

    def remove(self, mailbox_id: int, sequence: int) -> None:
        """Nothing was kept."""

    def _settle(self) -> None:
        batch, self._batch = self._batch, []
        self._exchange.settle(batch, Outcome.COMMITTED)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._committer, name)


class ByClientId:
    """In the place of admission, where there is no TLS to show a certificate: it is fetched from where it was issued."""

    def __init__(self, admission: Admission, tenants: dict[str, Path]) -> None:
        self._admission = admission
        self._folders = {name: root.parent for name, root in tenants.items()}

    def admit(self, certificate: bytes | None, address: str, connect: ConnectPacket) -> Admitted:
        """Admit whoever `connect` says it is."""
        if certificate is None:
            device = DeviceAddress.parse(connect.client_id)
            certificate = _der(self._folders[device.tenant] / f"{device.user}-{device.device}.pem")
        return self._admission.admit(certificate, address, connect)


def _der(path: Path) -> bytes:
    return x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)


def remember(data: Path, records: int) -> None:
    """Put `records` TrafficRecords into the store of a relay that does not run."""
    database = data / "relay.db"
    SqliteStore.open(database).close()
    begin = int(SystemClock().now()) - _HISTORY_SECONDS
    connection = sqlite3.connect(database)
    with connection:
        connection.execute(
            "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n LIMIT ?) "
            "INSERT INTO traffic (message_id, sender_id, recipient_id, accepted_at, size) "
            "SELECT randomblob(16), 1 + i % 500, 501 + i % 499, ? + i * ? / ?, 2048 FROM n",
            (records, begin, _HISTORY_SECONDS, records),
        )
    connection.close()


def remember_in_postgres(store: str, records: int) -> None:
    """Likewise, in a PostgreSQL database."""
    begin = int(SystemClock().now()) - _HISTORY_SECONDS
    with psycopg.connect(store) as connection:
        connection.execute("SELECT make_traffic_days(%s, %s)", (begin // 86_400, begin // 86_400 + 3))
        connection.execute(
            "INSERT INTO traffic (message_id, sender_id, recipient_id, accepted_at, size) "
            "SELECT uuid_send(gen_random_uuid()), 1 + i %% 500, 501 + i %% 499, %s + i * %s / %s, 2048 "
            "FROM generate_series(0::bigint, %s - 1) AS i",
            (begin, _HISTORY_SECONDS, records, records),
        )


async def serve(
    settings: Settings, tenants: dict[str, Path], watched: tuple[str, ...], *, plain: bool, memory: bool
) -> None:
    """Run until SIGTERM."""
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
    told = settings.data_dir / "told.json"
    async with Relay(settings) as relay, contextlib.AsyncExitStack() as stack:
        exchange = relay.exchange
        for name, root in tenants.items():
            request = rpc.RegisterTenant(tenant=name, root=_der(root)).model_dump_json().encode()
            answer = rpc.Answer.model_validate_json(
                await exchange.services.rpc(Registrar(), rpc.REGISTER_TENANT.name, request)
            )
            assert answer.error is None, answer
        if memory:
            exchange.committer = InMemory(exchange, relay.committer)
        if watched:
            await stack.enter_async_context(watching(relay, list(watched), told))
        facts = {
            "port": relay.port,
            "certificate": str(relay.certificate),
            "code": relay.registration_code,
            "told": str(told),
        }
        listener = None
        if plain:
            admission = ByClientId(exchange.services.admission, tenants)
            exchange.services = dataclasses.replace(exchange.services, admission=admission)
            clock = SystemClock()
            listener = Listener(exchange, LimitsInForce(settings.limits, clock), clock, tls=None)
            facts["port"] = listener.start(listening_socket(settings.host, 0))
        sys.stdout.write(json.dumps(facts) + "\n")
        sys.stdout.flush()
        await asked.wait()
        if listener is not None:
            await listener.stop_accepting()
            await exchange.stop()
            await listener.close()


@click.command()
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Data directory.")
@click.option(
    "--root", "roots", multiple=True, required=True, help="TENANT=FILE: a tenant to register; its devices are beside."
)
@click.option("--plain", is_flag=True, help="Without TLS.")
@click.option("--memory", is_flag=True, help="Without store.")
@click.option("--records", type=click.IntRange(min=0), default=0, help="TrafficRecords that are there already.")
@click.option(
    "--connections",
    type=click.IntRange(min=0),
    default=0,
    help="As many from one address, at any rate; 0: the defaults.",
)
@click.option("--database", help="PostgreSQL instead of SQLite: its address.")
@click.option("--node", help="NAME: one of several nodes, over that database.")
@click.option("--nats", multiple=True, help="A NATS server of theirs.")
@click.option("--identity", type=click.Path(path_type=Path), help="What the nodes have in common.")
@click.option("--watched", multiple=True, help="USER@TENANT: somebody whom a real-time order is about.")
def main(  # noqa: PLR0913, PLR0917 - the options
    data: Path,
    roots: tuple[str, ...],
    records: int,
    connections: int,
    watched: tuple[str, ...],
    database: str | None,
    node: str | None,
    nats: tuple[str, ...],
    identity: Path | None,
    **without: bool,
) -> None:
    """Run the relay under test."""
    harden()
    logs.configure(level="warning")
    data.mkdir(parents=True)
    if records and database is None:
        remember(data, records)
    elif records:
        remember_in_postgres(database, records)
    limits = Limits()
    if connections:
        limits = Limits(connections_per_address=connections, handshake_rate=1e6, handshake_burst=10 * connections)
    cluster = {"node": node, "servers": list(nats), "identity_dir": identity} if node else None
    settings = Settings.model_validate(
        {
            "data_dir": data,
            "port": 0,
            "limits": limits,
            "desk": Desk(enabled=False),
            "store": database,
            "cluster": cluster,
        }
    )
    tenants = {name: Path(path) for name, _, path in (root.partition("=") for root in roots)}
    uvloop.run(serve(settings, tenants, watched, **without))


if __name__ == "__main__":
    main()
