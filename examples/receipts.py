"""Receipts and what to do when something does not happen in time; answering as messages come; taking a message back.

Needs a relay: start one with `blindrelay up` in another terminal.
"""

import asyncio

from blindrelay.clients import Device, Enterprise, TimedOut, UnknownRecipient


async def answer(device: Device) -> None:
    """Answer everything, until the device is left."""
    async for message in device:
        await message.reply(f"You wrote {len(message.text)} characters.")


async def main() -> None:
    """Await each stage, with a time-out."""
    async with Enterprise.create("acme.example") as acme, Enterprise.create("globex.example") as globex:
        alice, bob = await acme.enrol("alice", "laptop"), await globex.enrol("bob", "phone")
        async with alice:
            try:
                await alice.send("nobody@globex.example", "Is anybody there?")
            except UnknownRecipient as error:
                print(f"not sent: {error}")

            receipt = await alice.send("bob@globex.example", "Are you there?")
            await receipt.accepted(timeout=10)  # the relay has it on disk; bob is away
            try:
                await receipt.delivered(timeout=0.2)
            except TimedOut as error:
                print(f"bob is away: {error}")

            async with bob:
                robot = asyncio.create_task(answer(bob))
                await receipt.read(timeout=10)
                print((await alice.receive(timeout=10)).text)

                regretted = await alice.send("bob@globex.example", "That was a stupid robot.", expires_in=3600)
                await (await alice.retract(regretted)).delivered(timeout=10)
            await robot  # ends when bob is left


if __name__ == "__main__":
    asyncio.run(main())
