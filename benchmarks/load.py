"""The load generator's process: a `LoadJob` on standard input, a `LoadResult` on standard output.

It checks what it measures: every message that was acknowledged must have been delivered, once, in the order of sending.
"""

import asyncio
import os
import ssl
import sys
import time
from contextlib import suppress
from itertools import chain
from time import perf_counter

import uvloop

from benchmarks.job import Identity, Latency, LoadJob, LoadResult, Server
from benchmarks.peers import Marks, Peer, Receiver, Sender, Unexpected

# After the last message was sent: how long to wait for what is still under way.
DRAIN_SECONDS = 20.0
# How often the paced load is looked at: uvloop's timers count milliseconds, and polling would take the relay's CPU.
TICK = 0.002
LATE = 0.010


def tls(server: Server, identity: Identity) -> ssl.SSLContext | None:
    """The context for mutual TLS 1.3, or None where the server speaks plain TCP."""
    if server.authority is None:
        return None
    context = ssl.create_default_context(cafile=server.authority)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if identity.certificate is not None:
        context.load_cert_chain(identity.certificate, identity.key)
    return context


async def connect(server: Server, identity: Identity, peer: Peer) -> None:
    """Open a connection and wait until it is arranged."""
    loop = asyncio.get_running_loop()
    context = tls(server, identity)
    name = "localhost" if context is not None else None
    await loop.create_connection(lambda: peer, server.host, server.port, ssl=context, server_hostname=name)
    await peer.ready


async def run(job: LoadJob) -> LoadResult:
    """Connect all pairs, send, drain, count.

    Raises:
        Unexpected: the server closed a connection or sent something that has no place here.
    """
    broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def end(error: Exception) -> None:
        if not broken.done():
            broken.set_exception(error)

    senders, receivers = [], []
    nodes = [job.server, *job.others]
    for number, pair in enumerate(job.pairs):
        nonce = os.urandom(8)
        receivers.append(Receiver(pair, nonce, end))
        await connect(nodes[(number + 1) % len(nodes)], pair.receiver, receivers[-1])
        senders.append(Sender(pair, nonce, os.urandom(job.payload), end))
        await connect(nodes[number % len(nodes)], pair.sender, senders[-1])
    work = asyncio.ensure_future(_work(job, senders, receivers))

    def interrupt(_: asyncio.Future[None]) -> None:
        work.cancel()

    broken.add_done_callback(interrupt)
    with suppress(asyncio.CancelledError):
        await work
    if broken.done():
        broken.result()
    broken.remove_done_callback(interrupt)
    broken.cancel()
    for peer in chain(senders, receivers):
        peer.transport.abort()
    return work.result()


async def _work(job: LoadJob, senders: list[Sender], receivers: list[Receiver]) -> LoadResult:
    begin = perf_counter()
    cpu = time.process_time()
    if job.rate is None:
        for sender in senders:
            sender.keep_full(job.window)
        await asyncio.sleep(job.warm_up + job.seconds)
        for sender in senders:
            sender.keep_full(0)
    else:
        await _pace(senders, job.rate, begin, begin + job.warm_up + job.seconds)
    end = perf_counter()
    cpu = time.process_time() - cpu
    deadline = end + DRAIN_SECONDS
    while perf_counter() < deadline and not _drained(senders, receivers):  # noqa: ASYNC110  an event would cost each message
        await asyncio.sleep(0.05)
    return _result(senders, receivers, begin + job.warm_up, end, cpu)


def _drained(senders: list[Sender], receivers: list[Receiver]) -> bool:
    return all(
        sender.acknowledged == len(sender.sent_at) and receiver.delivered + sender.refused >= len(sender.sent_at)
        for sender, receiver in zip(senders, receivers, strict=True)
    )


async def _pace(senders: list[Sender], rate: float, begin: float, until: float) -> None:
    """Message k is due at begin + k / rate, to the nearest tick, and goes to pair k modulo the number of pairs.

    Its latency counts from when it is handed over. Where this process is `LATE` it counts from when the message was due:
    a measurement must not look away while everything stands still.
    """
    done = 0
    while (now := perf_counter()) < until:
        due = int((now - begin) * rate)
        batches: dict[int, list[float]] = {}
        for k in range(done, due):
            planned = begin + k / rate
            batches.setdefault(k % len(senders), []).append(planned if now - planned > LATE else now)
        for index, times in batches.items():
            senders[index].send_due(times)
        done = max(done, due)
        await asyncio.sleep(max(begin + (done + 1) / rate - perf_counter(), TICK))


def _result(senders: list[Sender], receivers: list[Receiver], begin: float, end: float, cpu: float) -> LoadResult:
    acknowledged = sum(sender.acknowledged - sender.refused for sender in senders)
    delivered = sum(receiver.delivered for receiver in receivers)
    counted = sum(count for receiver in receivers for at, count in receiver.marks if begin <= at <= end)
    return LoadResult(
        rate=counted / (end - begin),
        sent=sum(len(sender.sent_at) for sender in senders),
        acknowledged=acknowledged,
        refused=sum(sender.refused for sender in senders),
        delivered=delivered,
        lost=max(acknowledged - delivered, 0),
        duplicated=sum(receiver.duplicated for receiver in receivers),
        out_of_order=sum(receiver.out_of_order for receiver in receivers),
        to_puback=_latency([(sender, sender.marks) for sender in senders], begin),
        to_recipient=_latency([(s, r.marks) for s, r in zip(senders, receivers, strict=True)], begin),
        generator_cpu_seconds=cpu,
        counted_seconds=end - begin,
    )


def _latency(marks: list[tuple[Sender, Marks]], begin: float) -> Latency:
    """Percentiles over messages sent after `begin`. Where order was broken or messages were lost, that is only an estimate."""
    took: list[float] = []
    for sender, batches in marks:
        position = 0
        for at, count in batches:
            took += [at - sent for sent in sender.sent_at[position : position + count] if sent >= begin]
            position += count
    took.sort()
    if not took:
        return Latency(p50=0, p90=0, p99=0, worst=0)

    def percentile(share: float) -> float:
        return round(1_000 * took[min(int(len(took) * share), len(took) - 1)], 3)

    return Latency(p50=percentile(0.5), p90=percentile(0.9), p99=percentile(0.99), worst=round(1_000 * took[-1], 3))


def main() -> None:
    """Read, run, write; an error is a sentence on standard error and exit code 1."""
    job = LoadJob.model_validate_json(sys.stdin.read())
    try:
        result = uvloop.run(run(job))
    except (Unexpected, OSError) as error:
        sys.exit(f"load generator: {error}")
    sys.stdout.write(result.model_dump_json())


if __name__ == "__main__":
    main()
