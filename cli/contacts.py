"""`blindrelay client contacts`: whom this device knows, and whether it has reason to."""

import asyncio
import sys

import click
from rich import box
from rich.table import Table

from blindrelay.cli.devices import Speaker, speaker_options
from blindrelay.cli.interrupts import interruptible
from blindrelay.cli.lazy import OrderedGroup
from blindrelay.cli.output import JSON_OPTION, complain, console, emit
from blindrelay.cli.places import UserType
from blindrelay.clients.device import Device
from blindrelay.protocol.address import UserAddress


@click.group(cls=OrderedGroup)
def contacts() -> None:
    """Whom you know, and comparing safety numbers with them."""


@contacts.command(name="list")
@JSON_OPTION
@speaker_options
def list_(speaker: Speaker, as_json: bool) -> None:
    """List the people whose devices this one has checked: against their enterprise's root, and their own statements."""
    with speaker.read() as device:
        table = Table(box=box.SIMPLE_HEAD)
        for heading in ("who", "devices", "archives", "verified"):
            table.add_column(heading, overflow="fold")
        for contact in device.contacts():
            others = [str(entry.address) for entry in contact.devices if not entry.archive]
            archives = [str(entry.address) for entry in contact.archives]
            is_verified = device.is_verified(contact.user)
            if as_json:
                emit({"user": str(contact.user), "devices": others, "archives": archives, "verified": is_verified})
            else:
                table.add_row(str(contact.user), "\n".join(others), "\n".join(archives), "yes" if is_verified else "")
        if not as_json:
            console().print(table if table.row_count else "you have not written to or heard from anybody yet")


@contacts.command(
    epilog="""\b
Examples:
  blindrelay client contacts verify bob@globex.example
  blindrelay client contacts verify bob@globex.example --yes       for scripts: you have compared it already
"""
)
@click.argument("user", type=UserType())
@click.option("--yes", is_flag=True, help="The numbers were compared and are the same: do not ask.")
@JSON_OPTION
@speaker_options
def verify(speaker: Speaker, user: UserAddress, yes: bool, as_json: bool) -> None:
    """Show the safety number that you share with USER, and remember it as verified if you say that theirs is the same.

    Compare it by another way than this one: read it to each other on the telephone, or hold the screens side by side. If the
    relay, or anybody's enterprise, had put a device of its own between you, the numbers would differ.
    """

    async def work() -> None:
        async with speaker.connect() as device:
            number = await device.safety_number(user)
            if as_json and not yes:
                emit(_record(device, user, number))
                return
            if not as_json:
                _show(device, user, number)
            if yes or (sys.stdin.isatty() and await asyncio.to_thread(_ask, user)):
                device.mark_verified(user)
                if not as_json:
                    click.echo(f"{user} is verified; you will be told if their devices change")
            elif not sys.stdin.isatty():
                complain("nobody is there to compare it: it stays unverified (--yes if you have compared it)")
            else:
                click.echo(f"{user} stays unverified")
            if as_json:
                emit(_record(device, user, number))

    interruptible(work())


def _record(device: Device, user: UserAddress, number: str) -> dict[str, object]:
    return {"user": str(user), "safety_number": number, "verified": device.is_verified(user)}


def _show(device: Device, user: UserAddress, number: str) -> None:
    groups = number.split()
    click.echo(f"The safety number of {device.user} and {user}:\n")
    for start in range(0, len(groups), 4):
        click.echo("    " + "  ".join(groups[start : start + 4]))
    click.echo()
    if device.is_verified(user):
        click.echo("You have compared it before, and nothing has changed since.")


def _ask(user: UserAddress) -> bool:
    return click.confirm(f"Does {user} see the same number?", default=False)
