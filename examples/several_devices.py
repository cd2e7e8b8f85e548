"""One person, several devices: every device of the recipient gets a message, and the sender's own others get a copy.

Needs a relay: start one with `blindrelay up` in another terminal.
"""

import asyncio

from blindrelay.clients import Device, Enterprise, News


async def copies(device: Device) -> str:
    """The text of the first message that another device of the same user sends."""
    async for update in device.updates():
        if update.news is News.COPY and update.message is not None:
            return update.message.text
    return ""


async def main() -> None:
    """Send once, receive on all; then lose a device."""
    async with Enterprise.create("acme.example") as acme, Enterprise.create("globex.example") as globex:
        laptop, tablet = await acme.enrol("alice", "laptop"), await acme.enrol("alice", "tablet")
        phone, desk = await globex.enrol("bob", "phone"), await globex.enrol("bob", "desk")
        async with laptop, tablet, phone, desk:
            copy = asyncio.create_task(copies(tablet))
            receipt = await laptop.send("bob@globex.example", "Which device are you on?")
            await phone.receive()
            await desk.receive()
            await receipt.read()
            print(f"alice's tablet shows it, too: {await copy}")
            for device, stage in receipt.devices.items():
                print(f"{device}: {stage.name.lower()}")

        await globex.revoke("bob", "phone")  # lost; the relay admits it no more
        async with laptop, desk:
            contact = await laptop.look_up("bob@globex.example")
            print("bob is left with", ", ".join(device.address.device for device in contact.recipients))


if __name__ == "__main__":
    asyncio.run(main())
