"""Somebody with a real client, in a process of its own that is killed: writes numbered letters, and notes what it reads.

`python -m blindrelay.proofs.chaos.matrix.person FOLDER --to USER --port PORT --ca FILE --notes FILE [--die-at N]`

What it notes is appended line by line, so that `kill -9` takes back nothing: `intent N` before a letter is written, `sent N`
when the client has taken it, `got N` when the application has been given one. It stops writing when it is told `hush`, and
leaves when standard input ends.

With `--die-at N` it kills itself in its N-th commit of the key store, in which the ratchet moves on: before it (N even), or
when it is on the disk and nothing has come of it yet (N odd).
"""

import argparse
import asyncio
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from blindrelay.clients.database import Database
from blindrelay.clients.device import Device
from blindrelay.clients.errors import ClientError
from blindrelay.clients.relay_address import RelayAddress
from blindrelay.proofs.chaos.matrix.notes import HABITS, PASSPHRASE, Notes
from blindrelay.protocol.clock import SystemClock

# Between two letters; a person is not that quick, and the ratchet is to be at work most of the time. Seconds.
_PAUSE = 0.03


def die_at(number: int) -> None:
    """Let this process kill itself in its `number`-th commit of the key store."""
    execute, commits = Database.execute, 0

    def fatal(self: Database, statement: str, values: tuple[Any, ...] = ()) -> Any:
        nonlocal commits
        commits += statement == "COMMIT"
        is_the_one = statement == "COMMIT" and commits == number
        if is_the_one and not number % 2:
            os.kill(os.getpid(), signal.SIGKILL)
        done = execute(self, statement, values)
        if is_the_one:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    Database.execute = fatal  # type: ignore[method-assign]


async def live(arguments: argparse.Namespace) -> None:
    """Write and read until told to stop."""
    notes = Notes(arguments.notes, SystemClock())
    relay = RelayAddress("127.0.0.1", arguments.port, arguments.ca.read_bytes())
    hush, leave = _told()
    async with Device.open(arguments.folder, PASSPHRASE, relay, options=HABITS) as device:
        reading = asyncio.create_task(_read(device, notes))
        writing = asyncio.create_task(_write(device, arguments.to, notes, hush))
        await leave.wait()
        for task in (reading, writing):
            task.cancel()
        await asyncio.gather(reading, writing, return_exceptions=True)


async def _read(device: Device, notes: Notes) -> None:
    async for message in device:
        notes.write("got", int(message.text))


async def _write(device: Device, to: str, notes: Notes, hush: asyncio.Event) -> None:
    number = max(notes.numbers("intent"), default=0)
    while not hush.is_set():
        number += 1
        notes.write("intent", number)
        await device.send(to, str(number))
        notes.write("sent", number)
        await asyncio.sleep(_PAUSE)


def _told() -> tuple[asyncio.Event, asyncio.Event]:
    loop, hush, leave = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

    def listen() -> None:
        for _ in sys.stdin:
            loop.call_soon_threadsafe(hush.set)
        loop.call_soon_threadsafe(hush.set)
        loop.call_soon_threadsafe(leave.set)

    threading.Thread(target=listen, daemon=True).start()
    return hush, leave


def main() -> None:
    """Live, or die."""
    parser = argparse.ArgumentParser(description="Somebody with a real client.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--to", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ca", type=Path, required=True)
    parser.add_argument("--notes", type=Path, required=True)
    parser.add_argument("--die-at", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.die_at:
        die_at(arguments.die_at)
    try:
        asyncio.run(live(arguments))
    except ClientError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
