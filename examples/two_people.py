"""Two people of two enterprises write to one another.

Needs a relay: start one with `blindrelay up` in another terminal.
"""

import asyncio

from blindrelay.clients import Enterprise


async def main() -> None:
    """Send, receive, and see that it was read."""
    async with Enterprise.create("acme.example") as acme, Enterprise.create("globex.example") as globex:
        alice, bob = await acme.enrol("alice", "laptop"), await globex.enrol("bob", "phone")
        async with alice, bob:
            receipt = await alice.send("bob@globex.example", "Shall we meet?")
            message = await bob.receive()
            await receipt.read()  # accepted -> delivered -> read, each awaitable
            print(f"{message.sender} wrote: {message.text}")


if __name__ == "__main__":
    asyncio.run(main())
