"""A process that holds connections and does nothing with them: an `IdleJob` in, an `IdleResult` out, then until end of input.

A process may open only so many files, so ten thousand connections take several of these.
"""

import asyncio
import sys
from time import perf_counter

import uvloop

from benchmarks.job import IdleJob, IdleResult
from benchmarks.load import connect
from benchmarks.peers import Peer, Unexpected


async def hold(job: IdleJob) -> tuple[IdleResult, list[Peer]]:
    """Connect them all, `concurrency` at a time.

    Raises:
        Unexpected: one was refused or closed.
    """
    begin = perf_counter()
    gate = asyncio.Semaphore(job.concurrency)
    peers: list[Peer] = []

    async def one(number: int) -> None:
        async with gate:
            peer = Peer(job.identities[number].client_id)
            await connect(job.server, job.identities[number], peer)
            peers.append(peer)

    await asyncio.gather(*(one(number) for number in range(len(job.identities))))
    return IdleResult(connected=len(peers), seconds=perf_counter() - begin), peers


async def serve() -> None:
    """Connect, say so, and wait for the end of the input."""
    loop = asyncio.get_running_loop()
    job = IdleJob.model_validate_json(await loop.run_in_executor(None, sys.stdin.readline))
    result, peers = await hold(job)
    sys.stdout.write(result.model_dump_json() + "\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)
    lost = sum(peer.transport.is_closing() for peer in peers)
    for peer in peers:
        peer.transport.abort()
    if lost:
        raise Unexpected(f"{lost} idle connections were closed by the server")


def main() -> None:
    """An error is a sentence on standard error and exit code 1."""
    try:
        uvloop.run(serve())
    except (Unexpected, OSError) as error:
        sys.exit(f"idle connections: {error}")


if __name__ == "__main__":
    main()
