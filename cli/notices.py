"""`blindrelay client notices`: what the relay tells its users on its own account, in words."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import click

from blindrelay.cli.devices import Speaker, speaker_options
from blindrelay.cli.interrupts import interruptible
from blindrelay.cli.output import JSON_OPTION, console, emit, foreign
from blindrelay.clients.device import Device
from blindrelay.clients.notices import KeptNotice
from blindrelay.protocol.notices import DisclosureNotice, Notice, ServiceNotice

#: Said to everybody, with a notice or without: what it says of one user it says of all.
NEUTRAL = (
    "This is everything that the relay has told this device. That something is not here does not mean that nothing was "
    "disclosed: a notice may not be given while an order forbids it, and the relay answers everybody alike until then."
)
_STATES = {
    "noticed": "The service in {where} is to be suspended from {when} on, by order of {who}.",
    "suspended": "The service in {where} is suspended, by order of {who}. What waits for you is kept.",
    "running": "The service in {where} is in operation again ({who}).",
    "rescinded": "The service in {where} goes on: the order to suspend it was taken back ({who}).",
}
_WORDS = {
    "SUBSCRIBER": "who you are enrolled as",
    "ACCESS": "when and from where you were connected",
    "TRAFFIC": "to whom you wrote, who wrote to you, when and how much",
}


def sentence(notice: Notice) -> str:
    """A notice in words."""
    if isinstance(notice, ServiceNotice):
        when = "a day that is not known" if notice.effective is None else _moment(notice.effective)
        return _STATES[notice.state].format(where=notice.jurisdiction, when=when, who=notice.ordered_by)
    what = "; ".join(_WORDS[name] for name in notice.classes)
    return (
        f"On {_moment(notice.disclosed_at)} records about {notice.user} were disclosed to {notice.authority} "
        f"({notice.jurisdiction}), under {notice.instrument}, reference {notice.legal_reference}: {what}{_window(notice)}. "
        "No message was: the relay cannot read any."
    )


def _window(notice: DisclosureNotice) -> str:
    if notice.since is None or notice.until is None:
        return ""
    return f", from {_moment(notice.since)} until {_moment(notice.until)}"


def _moment(seconds: int) -> str:
    with suppress(ValueError, OverflowError, OSError):
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
    return str(seconds)  # a relay may say anything


async def follow(device: Device, show: Callable[[str], None]) -> None:
    """Show each notice once, as it comes, until the device is left."""
    async for notice in device.notices():
        show(sentence(notice))


@click.command(
    epilog="""\b
Examples:
  blindrelay client notices
  blindrelay client notices --json | jq -r 'select(.kind == "disclosure") | .authority'
  blindrelay client notices --offline        those that this device has; no relay is asked
"""
)
@click.option("--offline", is_flag=True, help="Do not ask the relay for new ones.")
@JSON_OPTION
@speaker_options
def notices(speaker: Speaker, offline: bool, as_json: bool) -> None:
    """Print what the relay has told you: that records about you were disclosed, that the service is to be suspended.

    Each notice is signed by the relay's lawful desk; the signature is checked before a notice is believed, and is kept with it
    (--json prints it), so that you can show the notice to others.
    """
    kept = _read(speaker) if offline else interruptible(_fetch(speaker))
    for one in kept:
        if as_json:
            emit(_record(one))
        else:
            console().print(foreign(sentence(one.notice)), soft_wrap=True)
    if not as_json:
        console().print(NEUTRAL, style="dim", soft_wrap=True)


def _read(speaker: Speaker) -> list[KeptNotice]:
    with speaker.read() as device:
        return device.kept_notices()


async def _fetch(speaker: Speaker) -> list[KeptNotice]:
    async with speaker.connect() as device:
        return await device.fetch_notices()


def _record(kept: KeptNotice) -> dict[str, Any]:
    return {**kept.notice.model_dump(mode="json"), "signed": kept.signed.model_dump(mode="json")}
