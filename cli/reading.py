"""`blindrelay client listen`, `history`, `search` and `my-data`."""

import asyncio
import os
from contextlib import AbstractAsyncContextManager, suppress
from datetime import UTC, datetime
from pathlib import Path

import click
from rich import box
from rich.table import Table
from rich.text import Text

from blindrelay.cli import notices
from blindrelay.cli.devices import Speaker, speaker_options
from blindrelay.cli.interrupts import interruptible
from blindrelay.cli.output import JSON_OPTION, complain, console, emit, foreign, printable
from blindrelay.cli.rendering import TICKS, destination, message_record, message_text, stage_in
from blindrelay.clients.desk import RETRACTED
from blindrelay.clients.device import Device
from blindrelay.clients.errors import TimedOut
from blindrelay.clients.mail import Attachment
from blindrelay.clients.message import Message, News
from blindrelay.clients.options import Options

# A relay may hold a hundred prekeys; who wants them all reads JSON.
_ROWS = 12
# How the inventory counts time, by its names of the fields: seconds in a unit, and how to write it.
_TIMES = {
    "first seen": (86_400, "%Y-%m-%d"),
    "last seen": (86_400, "%Y-%m-%d"),
    "connection start": (3_600, "%Y-%m-%d %H h"),
    "connection end": (3_600, "%Y-%m-%d %H h"),
    "time of acceptance": (1, "%Y-%m-%d %H:%M:%S"),
    "expiry": (1, "%Y-%m-%d %H:%M:%S"),
    "end of the last connection": (1, "%Y-%m-%d %H:%M:%S"),
}


@click.command(
    epilog="""\b
Examples:
  blindrelay client listen --as globex.example/bob/phone
  blindrelay client listen --count 1 --timeout 60          the next message; exit code 8 if none comes
  blindrelay client listen --json | jq -r .text
  blindrelay client listen --save received/                attachments go there
"""
)
@click.option("--count", type=click.IntRange(1), help="End after so many messages.  [default: at Ctrl-C]")
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    help="End, with exit code 8, when nothing comes for so many seconds.",
)
@click.option("--save", type=click.Path(file_okay=False, path_type=Path), help="Save attachments in this folder.")
@click.option("--unread", is_flag=True, help="Do not tell the senders that their messages were read.")
@JSON_OPTION
@speaker_options
def listen(
    speaker: Speaker, count: int | None, timeout: float | None, save: Path | None, unread: bool, as_json: bool
) -> None:
    """Print messages as they come, those first that have been waiting.

    Each is printed once, and erased from the relay when this device has stored it; it stays in the device's history.
    """
    interruptible(_listen(speaker.connect(Options(read_receipts=not unread)), count, timeout, save, as_json=as_json))


async def _listen(
    opening: AbstractAsyncContextManager[Device],
    count: int | None,
    patience: float | None,
    save: Path | None,
    *,
    as_json: bool,
) -> None:
    async with opening as device:
        watching = asyncio.gather(_watch(device), notices.follow(device, complain))
        try:
            received = 0
            while count is None or received < count:
                message = await device.receive(patience)
                received += 1
                _print(message, as_json=as_json)
                if save is not None:
                    for attachment in message.attachments:
                        path = await asyncio.to_thread(save_attachment, attachment, save)
                        complain(f"saved {path}")
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching


async def _watch(device: Device) -> None:
    """Say what else happens: what cannot be read, and what is taken back."""
    async for update in device.updates():
        if update.news is News.UNREADABLE:
            complain(f"something came that cannot be read or believed: {update.reason}")
        elif update.news is News.RETRACTED and update.device is not None:
            complain(f"{update.device.owner} took a message back")


def _print(message: Message, *, as_json: bool) -> None:
    if as_json:
        emit(message_record(message))
    else:
        console().print(message_text(message))


def save_attachment(attachment: Attachment, folder: Path) -> Path:
    """Write an attachment into `folder` under its own name, and never over anything or outside of it.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = "".join(c for c in attachment.name.replace("\\", "/").rsplit("/", 1)[-1] if c.isprintable()).strip(" .")
    name = name[:120] or "attachment"
    stem, dot, suffix = name.rpartition(".")
    for number in range(1_000):
        path = folder / (name if not number else f"{stem}-{number}{dot}{suffix}" if stem else f"{name}-{number}")
        with suppress(FileExistsError):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(attachment.data)
            return path
    raise FileExistsError(17, "there are a thousand files of that name already", str(folder / name))


@click.command(
    epilog="""\b
Examples:
  blindrelay client history bob@globex.example
  blindrelay client history --limit 10 "Project X"
"""
)
@click.argument("with_", metavar="WITH")
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="So many, the last ones."
)
@JSON_OPTION
@speaker_options
def history(speaker: Speaker, with_: str, limit: int, as_json: bool) -> None:
    """Print the conversation WITH a person or group, oldest first. It comes from the key store; no relay is asked."""
    with speaker.read() as device:
        for message, entry in device.history(destination(device, with_), limit=limit):
            is_ours = entry.sender.owner == device.user
            is_gone = RETRACTED in entry.marks
            if as_json:
                state = {"stage": stage_in(entry).name.lower()} if is_ours else {}
                emit({**message_record(message), **state, "retracted": is_gone})
                continue
            line = message_text(message)
            if is_gone:
                line.append("(taken back)", "dim italic")
            if is_ours:
                line.append(f"  {TICKS[stage_in(entry)]}", "dim")
            console().print(line)


@click.command(
    epilog="""\b
Examples:
  blindrelay client search heron
  blindrelay client search --limit 5 --json "quarterly figures"
"""
)
@click.argument("words")
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="So many, the last ones."
)
@JSON_OPTION
@speaker_options
def search(speaker: Speaker, words: str, limit: int, as_json: bool) -> None:
    """Find the messages that mention WORDS, newest first: in their text, subject, or the names of attachments.

    It looks in the key store; no relay is asked, and none learns what you look for.
    """
    with speaker.read() as device:
        for message in device.search(words, limit=limit):
            if as_json:
                emit(message_record(message))
            else:
                console().print(message_text(message))


@click.command(
    name="my-data",
    epilog="""\b
Examples:
  blindrelay client my-data
  blindrelay client my-data --json | jq .records.TrafficRecord
""",
)
@JSON_OPTION
@speaker_options
def my_data(speaker: Speaker, as_json: bool) -> None:
    """Print everything that the relay's metadata inventory holds about you, on all of your devices.

    `blindrelay inventory` says what each of it is for, and for how long it is kept.
    """

    async def ask() -> dict[str, list[dict[str, object]]]:
        async with speaker.connect() as device:
            return {kind: [dict(row) for row in rows] for kind, rows in (await device.my_data()).records.items()}

    try:
        records = interruptible(ask())
    except TimedOut as error:
        raise TimedOut(f"the relay did not say what it holds: {error}") from error
    if as_json:
        emit({"user": str(speaker.address.owner), "records": records})
        return
    output = console()
    for kind, rows in records.items():
        if not rows:
            output.print(Text(printable(kind), "bold").append(": nothing", "dim"))
            continue
        table = Table(box=box.SIMPLE_HEAD, title=foreign(kind, "bold"), title_justify="left", padding=(0, 1, 0, 0))
        for name in rows[0]:
            table.add_column(foreign(name), overflow="fold")
        for row in rows[:_ROWS]:
            table.add_row(*(foreign(_legible(name, value)) for name, value in row.items()))
        output.print(table)
        if len(rows) > _ROWS:
            output.print(f"[dim]... and {len(rows) - _ROWS} more; --json prints all[/dim]")


def _legible(name: str, value: object) -> str:
    """A value of the inventory, its time or day as people write it. `name` says which it is; see `relay.inventory`."""
    if value is None:
        return "-"
    unit = _TIMES.get(name)
    if unit is None or not isinstance(value, int):
        return str(value)
    seconds, shape = unit
    try:
        return datetime.fromtimestamp(value * seconds, UTC).strftime(shape)
    except (ValueError, OverflowError, OSError):
        return str(value)  # a relay may say anything
