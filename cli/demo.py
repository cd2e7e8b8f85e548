"""`blindrelay demo`: the whole thing at work, and one message seen from three sides."""

import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import click
from click.shell_completion import CompletionItem
from rich.console import Console

from blindrelay.cli.demo_evidence import Evidence, RelayDisk, can_decrypt
from blindrelay.cli.demo_views import show_three_views
from blindrelay.cli.exit_codes import ExitCode
from blindrelay.cli.interrupts import interruptible
from blindrelay.cli.output import console
from blindrelay.cli.temporary_relay import relay_process
from blindrelay.clients.device import Device
from blindrelay.clients.enterprise.enterprise import Enterprise
from blindrelay.clients.errors import ClientError
from blindrelay.clients.mail import Attachment
from blindrelay.clients.message import Message
from blindrelay.clients.options import Options, Posture
from blindrelay.clients.receipts import Receipt
from blindrelay.clients.relay_address import RelayAddress
from blindrelay.clients.sealed import Hygiene
from blindrelay.proofs.attacks.catalogue import names
from blindrelay.protocol.endpoint import FILE_NAME

# Everything here takes milliseconds; a machine may be very busy. Seconds.
_PATIENCE = 30.0
# The pauses that hide when somebody wrote are for people who have time; here they would only be waited for.
_OPTIONS = Options(hygiene=Hygiene(opening=(0.0, 0.05), receipt=(0.0, 0.05), idle=(5.0, 5.0)))

_OPEN_WORDS = "The offer is 4.2 million. Tell nobody before Friday."
_SEALED_WORDS = "And if they ask: you did not hear it from me."
_TALK = ("Shall we meet?", "At noon, by the river.", "Heron is go.", "Did you get the draft?", "Reading it now.")
_SUBJECT, _MAIL, _FILE = (
    "Draft of the contract",
    "Please look at section 7 again.",
    b"Section 7: the price is 4.2 million.\n" * 40,
)


@dataclass(frozen=True, slots=True)
class Cast:
    """Who takes part."""

    alice: Device
    alice_phone: Device
    carol: Device
    bob: Device
    bob_laptop: Device
    dave: Device

    @property
    def everybody(self) -> tuple[Device, ...]:
        """All six devices."""
        return (self.alice, self.alice_phone, self.carol, self.bob, self.bob_laptop, self.dave)


@dataclass(frozen=True, slots=True)
class Shown:
    """One message: who had what of it, and what the relay had of it."""

    title: str
    words: str
    sender: Device
    received: tuple[tuple[Device, Message], ...]
    receipt: Receipt
    evidence: Evidence


class DemoFailed(ClientError):
    """Something that the demonstration is there to show is not so."""


def _names(_context: click.Context, _option: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in ("list", "all", *names()) if name.startswith(incomplete)]


@click.command(
    epilog="""\b
Examples:
  blindrelay demo
  blindrelay demo --open                             in the browser, as long as you like
  blindrelay demo --attack list                      what a malicious relay can try
  blindrelay demo --attack ghost-device              in each of its ways
  blindrelay demo --attack split-view/no-witness     in one of them
  blindrelay demo --attack all --json                for scripts: one object for each

\b
With --attack, the exit code is 0 when each was noticed as it must be: before anything is encrypted, or where that
cannot be, afterwards and with evidence. It is 1 when not.
"""
)
@click.option(
    "--attack",
    metavar="NAME",
    shell_complete=_names,
    help="Let the relay be malicious: carry out this attack on real clients, and show who notices it, and by what. "
    "`list` tells which there are, `all` carries out each.",
)
@click.option(
    "--open",
    "open_browser",
    is_flag=True,
    help="Show it in the browser instead, until Ctrl-C: people who talk, what the relay keeps, what a court gets.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    help="With --open: port of the console; 0 takes a free one.  [default: 8887, or a free one if that is taken]",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="With --attack: print JSON for programs, one object per line. With --open: print where it is, and open nothing.",
)
def demo(attack: str | None, open_browser: bool, port: int | None, as_json: bool) -> int:
    """See the whole thing work, in less than a minute.

    Starts a relay in a folder that goes away again, founds two enterprises with certificate authorities of their own, enrols
    four people with six devices, lets them chat and mail both ways, and prints the same message three times: what the
    clients see, what the relay holds, what its metadata inventory says. Nothing is left behind.

    With --open, the same in the browser, live: a console on the loopback, with a court beside it that has an order.

    With --attack, the relay is one that lies: about whose devices are whose, about its log, about the past. It has its
    database and its log's key to do it with, and the clients are the ones that ship.
    """
    if attack is not None:
        # A relay in this process: the tour's is in one of its own, and this one has no need of it.
        from blindrelay.cli.demo_attacks import perform  # noqa: PLC0415

        return perform(attack, as_json=as_json)
    if open_browser:
        from blindrelay.cli.demo_console import show  # noqa: PLC0415 - the web server takes half a second to load

        return show(port, as_json=as_json)
    if as_json:
        raise click.UsageError("--json goes with --attack or --open: the tour itself is for people")
    output = console()
    started = time.monotonic()
    interruptible(_perform(output))
    output.print(
        f"\nThe relay is stopped and everything is removed, after {time.monotonic() - started:.0f} seconds. "
        "Now yours: [bold]blindrelay up[/bold], and [bold]blindrelay --help[/bold]. What a malicious relay can try: "
        "[bold]blindrelay demo --attack all[/bold]."
    )
    return ExitCode.OK


async def _perform(output: Console) -> None:
    with tempfile.TemporaryDirectory(prefix="blindrelay-demo-") as folder:
        async with AsyncExitStack() as stack:
            with output.status("starting a relay"):
                running = await stack.enter_async_context(relay_process(Path(folder)))
            data, pid = running.data, running.process_id
            relay = RelayAddress.from_file(data / FILE_NAME)
            if can_decrypt(pid):
                raise DemoFailed("the relay's process has a library in its memory that could decrypt")
            _done(
                output,
                f"a relay at mqtts://{relay.host}:{relay.port}, process {pid}, without any code that could decrypt",
            )
            if running.witness is None or running.witness.key not in (relay.log_policy or ""):
                raise DemoFailed("nobody witnesses the log of the relay's directory")
            _done(
                output,
                f"a witness, process {running.witness.process_id}: clients encrypt for nobody whose device is not in a public "
                "log that it has cosigned",
            )
            with output.status("founding two enterprises and enrolling their people"):
                cast = await _enrol(stack, relay)
            _done(
                output, "two enterprises, acme.example and globex.example, each with a certificate authority of its own"
            )
            _done(output, "four people with six devices: alice (2) and carol at acme, bob (2) and dave at globex")
            disk = RelayDisk(data)
            with output.status("chats and mails"):
                count = await _talk(cast, disk)
            _done(output, f"chats and mails both ways, a group, an attachment: {count} messages received and decrypted")
            with output.status("one message, seen from three sides"):
                shown = [
                    await _send_to_absent(cast, disk, "A message", _OPEN_WORDS, Posture.STANDARD),
                    await _send_to_absent(
                        cast, disk, "The same in the posture `sealed`", _SEALED_WORDS, Posture.SEALED
                    ),
                ]
            for one in shown:
                show_three_views(output, one, disk)
            _search(output, disk)


async def _enrol(stack: AsyncExitStack, relay: RelayAddress) -> Cast:
    acme = await stack.enter_async_context(Enterprise.create("acme.example", relay, options=_OPTIONS))
    globex = await stack.enter_async_context(Enterprise.create("globex.example", relay, options=_OPTIONS))
    cast = Cast(
        alice=await acme.enrol("alice", "laptop"),
        alice_phone=await acme.enrol("alice", "phone"),
        carol=await acme.enrol("carol", "desktop"),
        bob=await globex.enrol("bob", "phone"),
        bob_laptop=await globex.enrol("bob", "laptop"),
        dave=await globex.enrol("dave", "tablet"),
    )
    for device in (cast.alice, cast.alice_phone, cast.carol, cast.dave):
        await stack.enter_async_context(device)
    return cast


async def _talk(cast: Cast, disk: RelayDisk) -> int:
    """Let everybody say something; return how many messages were decrypted."""
    alice, bob, carol, dave = cast.alice, cast.bob, cast.carol, cast.dave
    async with bob, cast.bob_laptop:
        received = [*await _say(alice, (bob, cast.bob_laptop), _TALK[0])]
        received += await _say(bob, (alice, cast.alice_phone), _TALK[1])
        group = alice.create_group("Project Heron", [bob.user, carol.user, dave.user])
        await alice.send(group, _TALK[2])
        received += [await device.receive(_PATIENCE) for device in (bob, cast.bob_laptop, carol, dave)]
        draft = Attachment("contract.txt", _FILE, "text/plain")
        await bob.send_mail([alice.user, carol.user], _SUBJECT, _MAIL, attachments=[draft])
        mails = [await device.receive(_PATIENCE) for device in (alice, cast.alice_phone, carol)]
        if any(mail.attachments[0].data != _FILE for mail in mails):
            raise DemoFailed("the attachment that arrived is not the one that was sent")
        received += mails
        received += await _say(dave, (carol,), _TALK[3])
        received += await _say(carol, (dave,), _TALK[4])
        await disk.wait_quiet(_PATIENCE)
    return len(received)


async def _say(sender: Device, devices: tuple[Device, ...], words: str) -> list[Message]:
    receipt = await sender.send(devices[0].user, words)
    received = [await device.receive(_PATIENCE) for device in devices]
    if any(message.text != words or message.sender != sender.user for message in received):
        raise DemoFailed(f"what arrived at {devices[0].user} is not what {sender.user} sent")
    await receipt.read(_PATIENCE)
    return received


async def _send_to_absent(cast: Cast, disk: RelayDisk, title: str, words: str, posture: Posture) -> Shown:
    """Send to bob while his devices are away, look at the relay, let him come and read, and look again."""
    receipt = await cast.alice.send(cast.bob.user, words, posture=posture)
    evidence = await disk.wait_for(cast.bob.user, 2, _PATIENCE)
    received: list[tuple[Device, Message]] = []
    async with cast.bob, cast.bob_laptop:
        for device in (cast.bob, cast.bob_laptop):
            message = await device.receive(_PATIENCE)
            if message.text != words:
                raise DemoFailed(f"what arrived at {device.address} is not what was sent")
            received.append((device, message))
        await receipt.read(_PATIENCE)
        await disk.wait_quiet(_PATIENCE)
    await disk.wait_gone(evidence, _PATIENCE)
    return Shown(title, words, cast.alice, tuple(received), receipt, evidence)


def _search(output: Console, disk: RelayDisk) -> None:
    words = [
        _OPEN_WORDS,
        _SEALED_WORDS,
        *_TALK,
        _SUBJECT,
        _MAIL,
        "Project Heron",
        "contract.txt",
        "Section 7: the price",
    ]
    found, size = disk.search([word.encode() for word in words])
    if found:
        raise DemoFailed(f"words that people wrote are on the relay's disk: {', '.join(map(repr, found))}")
    _done(
        output,
        f"all {size:,} bytes on the relay's disk searched for the {len(words)} sentences, subjects and names that people "
        "wrote: none is there",
    )


def _done(output: Console, text: str) -> None:
    output.print(f"[green]✓[/green] {text}")
