"""`blindrelay client send` and `mail`."""

import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import click

from blindrelay.cli.devices import Speaker, speaker_options
from blindrelay.cli.interrupts import interruptible
from blindrelay.cli.output import JSON_OPTION, emit
from blindrelay.cli.places import UserType
from blindrelay.cli.rendering import destination, members, receipt_record, tell_of_archives
from blindrelay.clients.content import MAX_LETTER
from blindrelay.clients.device import Device
from blindrelay.clients.options import Posture
from blindrelay.clients.receipts import Receipt, Stage
from blindrelay.protocol.address import UserAddress

#: Sends something, and returns its receipt.
Work = Callable[[Device], Awaitable[Receipt]]

_SAID = {
    Stage.REFUSED: "refused by the relay for",
    Stage.WAITING: "not accepted yet for",
    Stage.ACCEPTED: "accepted by the relay for",
    Stage.DELIVERED: "delivered to",
    Stage.READ: "read on",
}
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_SEALED = click.option("--sealed", is_flag=True, help="Do not let the relay know who writes.")
_WAIT = click.option(
    "--wait",
    type=click.Choice(["accepted", "delivered", "read"]),
    default="accepted",
    show_default=True,
    help="Until the relay has it on disk, a device of everybody's has it, or everybody has read it.",
)
_TIMEOUT = click.option(
    "--timeout", type=click.FloatRange(0, min_open=True), default=30.0, show_default=True, help="Seconds to wait."
)


def parse_duration(text: str) -> float | None:
    """Seconds, above 0; None when `text` is no duration such as `90`, `90s`, `15m`, `2h`, `7d`."""
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)([smhd]?)", text, re.ASCII)
    return (float(match[1]) * _UNITS[match[2]] or None) if match else None


class DurationType(click.ParamType[float]):
    """`90`, `90s`, `15m`, `2h`, `7d`; seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds, or fail with what a duration looks like."""
        seconds = parse_duration(str(value))
        if seconds is None:
            self.fail(f"{value!r} is not a duration: expected 90s, 15m, 2h or 7d", param, ctx)
        return seconds


@click.command(
    epilog="""\b
Examples:
  blindrelay client send bob@globex.example "Shall we meet?"
  fortune | blindrelay client send bob@globex.example -
  blindrelay client send --expires-in 1h --wait read bob@globex.example "The code is 4711"
  blindrelay client send --sealed bob@globex.example "You do not know who sent this, relay"
  blindrelay client send "Project X" "to a group, by its name"
"""
)
@click.argument("to")
@click.argument("text")
@_SEALED
@click.option("--expires-in", type=DurationType(), help="Everybody's client forgets it then, read or not: 15m, 2h, 7d.")
@click.option("--urgent", is_flag=True, help="Mark it as urgent; the relay does not see the mark.")
@_WAIT
@_TIMEOUT
@JSON_OPTION
@speaker_options
def send(
    speaker: Speaker,
    to: str,
    text: str,
    sealed: bool,
    expires_in: float | None,
    urgent: bool,
    wait: str,
    timeout: float,
    as_json: bool,
) -> None:
    """Send TEXT (- reads it from stdin) to a person (user@tenant) or a group (its name)."""
    words = _words(text)
    if not words.strip():
        raise click.UsageError("there is nothing to send: TEXT is empty")

    async def work(device: Device) -> Receipt:
        whom = destination(device, to)
        receipt = await device.send(
            whom,
            words,
            expires_in=expires_in,
            posture=Posture.SEALED if sealed else None,
            urgent=urgent,
            timeout=timeout,
        )
        tell_of_archives(device, members(whom))
        return receipt

    _send(speaker, work, wait, timeout, as_json=as_json)


@click.command(
    epilog="""\b
Examples:
  blindrelay client mail bob@globex.example --subject Lunch --text "At noon?"
  blindrelay client mail bob@globex.example carol@acme.example -s "Minutes" -a minutes.pdf < letter.txt
"""
)
@click.argument("to", nargs=-1, required=True, type=UserType())
@click.option("--subject", "-s", required=True, help="It is encrypted with the rest.")
@click.option("--text", "-t", default="-", help="What to say; - reads it from stdin.  [default: -]")
@click.option("--cc", multiple=True, type=UserType(), help="Somebody who gets it, too; may be given several times.")
@click.option(
    "--attach",
    "-a",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path),
    help="A file; may be given several times, 10 MB in all.",
)
@_SEALED
@_WAIT
@_TIMEOUT
@JSON_OPTION
@speaker_options
def mail(
    speaker: Speaker,
    to: tuple[UserAddress, ...],
    subject: str,
    text: str,
    cc: tuple[UserAddress, ...],
    attach: tuple[Path, ...],
    sealed: bool,
    wait: str,
    timeout: float,
    as_json: bool,
) -> None:
    """Send a mail to one or several people: subject, text, attachments. The relay sees none of the three."""
    words = _words(text)

    async def work(device: Device) -> Receipt:
        posture = Posture.SEALED if sealed else None
        receipt = await device.send_mail(
            to, subject, words, cc=cc, attachments=attach, posture=posture, timeout=max(60.0, timeout)
        )
        tell_of_archives(device, [*to, *cc])
        return receipt

    _send(speaker, work, wait, timeout, as_json=as_json)


def _words(text: str) -> str:
    """What to say: `text`, or stdin where it is -."""
    words = sys.stdin.read(MAX_LETTER) if text == "-" else text
    try:
        words.encode()
    except UnicodeEncodeError:  # the system hands on bytes that are no text as half characters
        raise click.UsageError(
            "the text is not UTF-8: expected text; send a file with `client mail --attach`"
        ) from None
    return words


def _send(speaker: Speaker, work: Work, wait: str, timeout: float, *, as_json: bool) -> None:
    async def run() -> Receipt:
        async with speaker.connect() as device:
            receipt = await work(device)
            reached = {"accepted": receipt.accepted, "delivered": receipt.delivered, "read": receipt.read}[wait]
            return await reached(timeout)

    receipt = interruptible(run())
    if as_json:
        emit(receipt_record(receipt))
        return
    for device, stage in receipt.devices.items():
        click.echo(f"{_SAID[stage]} {device}")
