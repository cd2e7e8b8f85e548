"""The faults, by name: what each does to a deployment under load, and to which deployments it can be done."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from blindrelay.proofs.chaos.device import Mood
from blindrelay.proofs.chaos.matrix import strikes
from blindrelay.proofs.chaos.matrix.stage import Stage

SQLITE: Final = "sqlite"
POSTGRESQL: Final = "postgresql"

#: Does it, for as long as is said (seconds), and leaves the healing to the stage.
Strike = Callable[[Stage, random.Random, float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault.

    Attributes:
        name: what it is called on the command line.
        does: what is done, in a sentence.
        strike: does it; None: it has a run of its own (`alone`).
        length: the shortest and the longest time for which it lasts. Seconds.
        engines: deployments on which it can be done.
        severs, delays: whether connections may end by it, and bytes be held back: see `history.Disturbance`.
        lingers: for how long what was under way may still come late when it is over. Seconds.
        mood: of all devices; None: as they like.
        whole_run: whether it begins before the load, and does not end.
        crowd: whether there are many more clients.
        small_disk: whether the database is on a disk of its own that is soon full.
    """

    name: str
    does: str
    strike: Strike | None = None
    length: tuple[float, float] = (0.0, 0.0)
    engines: frozenset[str] = frozenset({SQLITE, POSTGRESQL})
    severs: bool = True
    delays: bool = True
    lingers: float = 0.0
    mood: Mood | None = None
    whole_run: bool = False
    crowd: bool = False
    small_disk: bool = False


_NODES: Final = frozenset({POSTGRESQL})

#: All of them, in the order in which they are run.
FAULTS: Final = {
    fault.name: fault
    for fault in (
        Fault("node-killed", "kill -9 of one relay node.", strikes.node_killed, (0.2, 2.0)),
        Fault(
            "node-frozen",
            "SIGSTOP of one relay node for --frozen seconds; its devices go elsewhere, and then it wakes up.",
            strikes.node_frozen,
        ),
        Fault(
            "database-killed",
            "kill -9 of every process of PostgreSQL.",
            strikes.database_killed,
            (0.2, 5.0),
            _NODES,
        ),
        Fault("nats-killed", "kill -9 of one NATS server.", strikes.nats_killed, (1.0, 3.0), _NODES),
        Fault("two-nats-killed", "kill -9 of two of three NATS servers.", strikes.two_nats_killed, (1.0, 3.0), _NODES),
        Fault(
            "everything-restarted",
            "kill -9 of every node, of PostgreSQL and of every NATS server at once; then all are started.",
            strikes.everything_restarted,
            (0.2, 1.0),
        ),
        Fault(
            "client-killed",
            "kill -9 of a client with real encryption, in the middle of a ratchet step, again and again.",
        ),
        Fault(
            "disk-full",
            "No room on the store's disk. SQLite: by strace. PostgreSQL: a small tmpfs, which needs root.",
            strikes.disk_full,
            (1.0, 3.0),
            small_disk=True,
        ),
        Fault(
            "sync-fails",
            "fdatasync of the store fails with EIO, by strace. On SQLite the relay has to leave; PostgreSQL is restarted.",
            strikes.sync_fails,
            (0.5, 1.5),
        ),
        Fault(
            "nodes-partitioned",
            "Nodes reach the database and not each other's NATS servers, whose routes are cut.",
            strikes.nodes_partitioned,
            (2.0, 4.0),
            _NODES,
        ),
        Fault(
            "database-cut-off",
            "One node, or all of them, do not reach the database.",
            strikes.database_cut_off,
            (1.0, 6.0),
            _NODES,
        ),
        Fault(
            "clients-cut-off",
            "Devices do not reach one of the nodes, or any: nothing arrives, or connections are reset.",
            strikes.clients_cut_off,
            (1.0, 4.0),
        ),
        Fault(
            "slow-network",
            "300 ms latency each way with 5 % loss, between devices, nodes and NATS servers.",
            strikes.slow_network,
            (3.0, 5.0),
            lingers=4.5,  # a segment that is lost three times comes after 0.6 + 1.2 + 2.4 s more
        ),
        Fault(
            "wake-ups-lost",
            "No node is ever woken: NATS is gone, or there and cut in pieces. Devices stay where they are.",
            strikes.wake_ups_lost,
            engines=_NODES,
            severs=False,
            delays=False,
            mood=Mood.STEADY,
            whole_run=True,
        ),
        Fault(
            "commit-cut",
            "The database connection ends inside COMMIT, so that nobody hears what became of it; several times.",
            strikes.commit_cut,
            (1.5, 3.0),
            _NODES,
        ),
        Fault(
            "reader-never-reads",
            "A client connects, subscribes and never reads, while much is sent to it.",
            strikes.reader_never_reads,
            (3.0, 5.0),
        ),
        Fault(
            "reconnect-storm",
            "--crowd clients lose their connections at the same moment, and all come back at once.",
            strikes.reconnect_storm,
            crowd=True,
        ),
        Fault(
            "clock-jumps",
            "The wall clock of one node, or of all, jumps an hour forward, then an hour back.",
            strikes.clock_jumps,
            (1.0, 2.0),
        ),
    )
}
