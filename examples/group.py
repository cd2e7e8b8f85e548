"""A group of three. The relay carries one envelope per device and cannot tell that there is a group.

Needs a relay: start one with `blindrelay up` in another terminal.
"""

import asyncio

from blindrelay.clients import Enterprise


async def main() -> None:
    """Write to a group, and answer to it."""
    async with Enterprise.create("acme.example") as acme, Enterprise.create("globex.example") as globex:
        alice, carol = await acme.enrol("alice", "laptop"), await acme.enrol("carol", "phone")
        bob = await globex.enrol("bob", "phone")
        async with alice, bob, carol:
            group = alice.create_group("Friday lunch", ["bob@globex.example", "carol@acme.example"])
            receipt = await alice.send(group, "Who is in?")
            for person in (bob, carol):
                message = await person.receive()
                await message.reply(f"{person.user.user} is in.")
            await receipt.read()  # by everybody

            for _ in range(2):
                print((await alice.receive()).text)


if __name__ == "__main__":
    asyncio.run(main())
