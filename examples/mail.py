"""A mail with attachments to two people, with a time-out for each step.

Needs a relay: start one with `blindrelay up` in another terminal.
"""

import asyncio
import tempfile
from pathlib import Path

from blindrelay.clients import Attachment, Enterprise


async def main() -> None:
    """Send a file and some bytes; read them on the other side."""
    async with Enterprise.create("acme.example") as acme, Enterprise.create("globex.example") as globex:
        alice = await acme.enrol("alice", "laptop")
        bob, dave = await globex.enrol("bob", "phone"), await globex.enrol("dave", "desk")
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.txt"
            report.write_text("Everything is fine.\n" * 10_000)
            async with alice, bob, dave:
                receipt = await alice.send_mail(
                    ["bob@globex.example", "dave@globex.example"],
                    "The figures",
                    "Please see the attachments.",
                    attachments=[report, Attachment("logo.svg", b"<svg/>", "image/svg+xml")],
                    timeout=30,
                )
                await receipt.accepted(timeout=30)
                for reader in (bob, dave):
                    mail = await reader.receive(timeout=30)
                    sizes = ", ".join(f"{one.name} ({len(one.data)} bytes)" for one in mail.attachments)
                    print(f"{reader.user} got {mail.subject!r} with {sizes}")
                await receipt.read(timeout=30)


if __name__ == "__main__":
    asyncio.run(main())
