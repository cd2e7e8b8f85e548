"""`blindrelay client group`: groups, which exist on their members' devices alone."""

import click

from blindrelay.cli.devices import Speaker, speaker_options
from blindrelay.cli.lazy import OrderedGroup
from blindrelay.cli.output import JSON_OPTION, console, emit, foreign
from blindrelay.cli.places import UserType
from blindrelay.protocol.address import UserAddress


@click.group(cls=OrderedGroup)
def group() -> None:
    """Groups. The relay sees letters from one person to several, and cannot tell that they are one."""


@group.command(
    epilog="""\b
Example:
  blindrelay client group create "Project X" bob@globex.example carol@acme.example
"""
)
@click.argument("name")
@click.argument("members", nargs=-1, required=True, type=UserType())
@speaker_options
def create(speaker: Speaker, name: str, members: tuple[UserAddress, ...]) -> None:
    """Found a group called NAME of you and MEMBERS. They learn of it with the first message."""
    if "@" in name or not name.strip():
        raise click.UsageError("a group's name is not empty and has no @ in it, so that it is not taken for an address")
    with speaker.read() as device:
        founded = device.create_group(name, members)
        console().print(foreign(f"{founded.name}: {', '.join(map(str, founded.members))}"))


@group.command(name="list")
@JSON_OPTION
@speaker_options
def list_(speaker: Speaker, as_json: bool) -> None:
    """List the groups that this device has heard of."""
    with speaker.read() as device:
        for known in device.groups():
            people = [str(member) for member in known.members]
            if as_json:
                emit({"id": known.id.hex(), "name": known.name, "members": people})
            else:
                console().print(foreign(known.name, "bold").append(f": {', '.join(people)}", "not bold"))
