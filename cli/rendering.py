"""How messages look: as lines for people, as JSON for programs."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from rich.text import Text

from blindrelay.cli.output import complain, foreign
from blindrelay.clients.content import Group
from blindrelay.clients.desk import RETRACTED
from blindrelay.clients.device import Device
from blindrelay.clients.errors import NotPossible
from blindrelay.clients.message import Message
from blindrelay.clients.receipts import Receipt, Stage
from blindrelay.clients.records import HistoryEntry
from blindrelay.protocol.address import UserAddress

#: What became of a message of ours, as everybody knows it from their phones.
TICKS = {Stage.REFUSED: "✗", Stage.WAITING: "…", Stage.ACCEPTED: "✓", Stage.DELIVERED: "✓✓", Stage.READ: "✓✓ read"}


def destination(device: Device, to: str) -> UserAddress | Group:
    """Whom `to` means: `user@tenant`, or the name of a group.

    Raises:
        Malformed: it has an @ and is no address.
        NotPossible: there is not exactly one group of that name.
    """
    if "@" in to:
        return UserAddress.parse(to)
    found = [group for group in device.groups() if group.name == to]
    if len(found) != 1:
        raise NotPossible(
            f"{to!r} is not an address (bob@globex.example), and {'several groups have' if found else 'no group has'} that "
            "name; see `blindrelay client group list`"
        )
    return found[0]


def members(to: UserAddress | Group) -> list[UserAddress]:
    """The people behind a destination."""
    return list(to.members) if isinstance(to, Group) else [to]


def tell_of_archives(device: Device, people: Iterable[UserAddress]) -> None:
    """Say, on stderr, whose enterprise keeps an archive that reads along. Nobody is read along without being told."""
    wanted = set(people)
    for contact in device.contacts():
        if contact.user in wanted and contact.archives:
            names = ", ".join(str(archive.address) for archive in contact.archives)
            complain(f"note: {contact.user} has a compliance archive that gets this, too: {names}")


def message_text(message: Message) -> Text:
    """A message for people."""
    line = Text.assemble((f"{_local(message.sent_at):%H:%M} ", "dim"), (str(message.sender), "bold"))
    if message.group is not None:
        line.append_text(foreign(f" in {message.group.name}", "italic"))
    if message.urgent:
        line.append(" urgent", "bold red")
    if message.sealed:
        line.append(" sealed", "cyan")
    if message.disappears_at is not None:
        line.append(f" until {_local(message.disappears_at):%H:%M:%S}", "dim")
    if message.mail is None:
        return line.append(": ").append_text(foreign(message.text))
    line.append(" mail: ").append_text(foreign(message.subject, "bold")).append("\n").append_text(foreign(message.text))
    for attachment in message.attachments:
        line.append("\n  + ").append_text(foreign(f"{attachment.name} ({len(attachment.data):,} bytes)"))
    return line


def message_record(message: Message) -> dict[str, Any]:
    """A message for programs."""
    record: dict[str, Any] = {
        "id": message.id.hex(),
        "from": str(message.sender),
        "device": str(message.device),
        "sent_at": message.sent_at.isoformat(),
        "kind": "chat" if message.mail is None else "mail",
        "text": message.text,
        "sealed": message.sealed,
    }
    if message.group is not None:
        record["group"] = {"id": message.group.id.hex(), "name": message.group.name}
    if message.mail is not None:
        record |= {
            "subject": message.subject,
            "to": [str(user) for user in message.mail.to],
            "cc": [str(user) for user in message.mail.cc],
            "attachments": [
                {"name": attachment.name, "type": attachment.media_type, "bytes": len(attachment.data)}
                for attachment in message.attachments
            ],
        }
    if message.reply_to is not None:
        record["reply_to"] = message.reply_to.hex()
    if message.urgent:
        record["urgent"] = True
    if message.disappears_at is not None:
        record["disappears_at"] = message.disappears_at.isoformat()
    return record


def receipt_record(receipt: Receipt) -> dict[str, Any]:
    """What became of a message, for programs."""
    return {
        "id": receipt.id.hex(),
        "stage": receipt.stage.name.lower(),
        "devices": {str(device): stage.name.lower() for device, stage in receipt.devices.items()},
    }


def stage_in(entry: HistoryEntry) -> Stage:
    """How far a letter of ours has come, by the history: the furthest device counts."""
    stages = [Stage[mark] for device, mark in entry.marks.items() if device != RETRACTED and mark in Stage.__members__]
    return max(stages, default=Stage.WAITING)


def _local(moment: datetime) -> datetime:
    return moment.astimezone()
