"""What the load generator is told and what it answers: JSON through its standard input and output."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Strict(BaseModel):
    """The base of both: closed and immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Identity(Strict):
    """Who connects: an MQTT client id and, over TLS, the certificate and key that vouch for it (paths of PEM files)."""

    client_id: str
    certificate: str | None = None
    key: str | None = None


class Pair(Strict):
    """A sender, a receiver, and the topics at their ends: a broker that only forwards has one topic, the relay has two."""

    sender: Identity
    receiver: Identity
    publish_to: str
    subscribe_to: str


class Server(Strict):
    """Where to connect. `authority` is the PEM file that the server's certificate is checked against; None: no TLS."""

    host: str
    port: Annotated[int, Field(ge=1, le=65_535)]
    authority: str | None = None


class LoadJob(Strict):
    """One measurement of throughput (`rate` is None: every sender keeps its window full) or of latency at a given rate."""

    server: Server
    # Other nodes of the same relay: each pair's sender is at one, and its receiver at the next.
    others: list[Server] = []
    pairs: Annotated[list[Pair], Field(min_length=1)]
    # A size that the relay accepts: one of protocol.sizes.BUCKETS.
    payload: int = 1_024
    # Messages that a sender leaves unacknowledged. Under the relay's Receive Maximum of 128.
    window: Annotated[int, Field(ge=1, le=128)] = 20
    rate: Annotated[float | None, Field(gt=0, description="messages per second, all pairs together")] = None
    warm_up: Annotated[float, Field(ge=0, description="seconds that are not counted")] = 2.0
    seconds: Annotated[float, Field(gt=0, description="seconds that are counted")] = 10.0


class Latency(Strict):
    """Milliseconds, over the messages sent in the counted time."""

    p50: float
    p90: float
    p99: float
    worst: float


class LoadResult(Strict):
    """What came of it. Everything that is not lost was delivered exactly once and in order, or the counts here say so."""

    rate: float
    sent: int
    acknowledged: int
    refused: int
    delivered: int
    lost: int
    duplicated: int
    out_of_order: int
    to_puback: Latency
    to_recipient: Latency
    generator_cpu_seconds: float
    counted_seconds: float


class IdleJob(Strict):
    """Connections that only exist: each with an identity of its own."""

    server: Server
    identities: Annotated[list[Identity], Field(min_length=1)]
    # Handshakes under way at once.
    concurrency: Annotated[int, Field(ge=1)] = 50


class IdleResult(Strict):
    """How many got in, and how long that took. The process says this once all are open, and closes them on end of input."""

    connected: int
    seconds: float
