"""`blindrelay client chat`: a conversation in a terminal, or through a pipe."""

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from typing import Any

import click

from blindrelay.cli.conversation import Conversation
from blindrelay.cli.devices import Speaker, speaker_options
from blindrelay.cli.interrupts import interruptible
from blindrelay.cli.rendering import destination
from blindrelay.cli.screen import Screen
from blindrelay.cli.transcript import Line, as_text
from blindrelay.clients.content import MAX_TEXT
from blindrelay.clients.device import Device
from blindrelay.protocol.clock import SystemClock


@click.command(
    epilog="""\b
Examples:
  blindrelay client chat --as acme.example/alice/laptop bob@globex.example
  blindrelay client chat "Project X"
  printf 'hello\\nare you there?\\n' | blindrelay client chat --linger 30 bob@globex.example

\b
While it runs:
  …  on its way    ✓  the relay has it on disk    ✓✓  delivered    ✓✓ read
  /help            what else can be typed: /sealed, /expire, /retract, /verify, /who, /quit
  PageUp, PageDown scroll; Ctrl-C or Ctrl-D leaves
"""
)
@click.argument("with_", metavar="WITH")
@click.option(
    "--linger",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="When the input is a pipe or file: seconds to stay after its end, for answers.",
)
@speaker_options
def chat(speaker: Speaker, with_: str, linger: float) -> None:
    """Talk WITH a person (user@tenant) or a group (its name).

    Shows what was said before, what comes, and what becomes of what you say. Messages from others show as remarks, and are in
    their own history.
    """
    is_interactive = sys.stdin.isatty() and sys.stdout.isatty()

    async def run() -> None:
        async with speaker.connect() as device:
            await (_in_terminal(device, with_) if is_interactive else _in_pipe(device, with_, linger))

    interruptible(run())


async def _in_terminal(device: Device, with_: str) -> None:
    screen: list[Screen] = []

    def changed(_line: Line) -> None:
        for one in screen:
            one.refresh()

    conversation = Conversation(device, destination(device, with_), SystemClock(), changed)
    await conversation.begin()
    screen.append(Screen(conversation))
    await _until_first_ends(screen[0].run(), conversation.listen(), _all(conversation))


async def _in_pipe(device: Device, with_: str, linger: float) -> None:
    def changed(line: Line) -> None:
        click.echo(as_text(line))
        sys.stdout.flush()

    conversation = Conversation(device, destination(device, with_), SystemClock(), changed)
    await conversation.begin()

    async def read() -> None:
        async for typed in _lines():
            await conversation.enter(typed)
            if conversation.over:
                return
        await asyncio.sleep(linger)

    await _until_first_ends(read(), conversation.listen(), _all(conversation))


async def _all(conversation: Conversation) -> None:
    """What else there is to be shown, until the device is left."""
    await asyncio.gather(conversation.follow(), conversation.heed())


async def _until_first_ends(*works: Coroutine[Any, Any, None]) -> None:
    """Run all until one of them ends, and raise what it raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError, Exception):
                await task


async def _lines() -> AsyncIterator[str]:
    """The lines of stdin, as they come. A thread that reads could not be stopped by Ctrl-C; a file cannot be waited for."""
    if stat.S_ISREG(os.fstat(sys.stdin.fileno()).st_mode):
        for line in sys.stdin:
            yield line
        return
    reader = asyncio.StreamReader(limit=4 * MAX_TEXT)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    try:
        while line_bytes := await reader.readline():
            yield line_bytes.decode("utf-8", "replace")
    finally:
        transport.close()
